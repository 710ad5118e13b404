/* ops/cli/screen_inside.h - what screen.c and screen_table.c share */
#pragma once

#include <stddef.h>

#include "base/memory.h"
#include "ops/cli/screen.h"

struct arena *screen_arena(void);
const char *screen_clean(const char *text);
void screen_paint(enum colour colour, const char *clean);
/* The bytes of the character that text begins with, and its cells (-1: none to be shown). */
size_t screen_character(const char *text, int *cells);
