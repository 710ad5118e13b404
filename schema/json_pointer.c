#include "schema/json_pointer.h"

#include <stdio.h>
#include <string.h>

/* A key may come from a client: long ones are cut, and it stays a pointer to the right object. */
enum { KEY_BYTES_MAX = 64 };

const char *json_pointer_key(struct arena *arena, const char *parent, const char *key)
{
    char escaped[KEY_BYTES_MAX * 2 + 1], *out = escaped;

    for (const char *c = key; *c && c < key + KEY_BYTES_MAX; c++) {
        if (*c == '~' || *c == '/')
            *out++ = '~';
        *out++ = (char)(*c == '~' ? '0' : *c == '/' ? '1' : *c);
    }
    *out = '\0';
    return arena_print(arena, "%s/%s", parent, escaped);
}

const char *json_pointer_index(struct arena *arena, const char *parent, size_t index)
{
    return arena_print(arena, "%s/%zu", parent, index);
}
