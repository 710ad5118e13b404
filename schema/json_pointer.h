/* schema/json_pointer.h - RFC 6901: which part of a body is meant */
#pragma once

#include <stddef.h>

#include "base/memory.h"

const char *json_pointer_key(struct arena *arena, const char *parent, const char *key);
const char *json_pointer_index(struct arena *arena, const char *parent, size_t index);
