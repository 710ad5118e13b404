/* ops/cli/orphan.h - a difference between the books in words: what it is, and what to do */
#pragma once

#include <jansson.h>
#include <stddef.h>

/* Of one row of /admin/status: a line each, cut to its size. */
void orphan_say(const json_t *orphan, char *what, size_t what_size, char *command,
                size_t command_size);
