#include "base/http/target.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* -1: not %XX. */
static int escaped(const char *bytes, size_t length)
{
    if (length < 3 || hex_value(bytes[1]) < 0 || hex_value(bytes[2]) < 0)
        return -1;
    return hex_value(bytes[1]) * 16 + hex_value(bytes[2]);
}

static bool are_escapes_good(const char *target)
{
    for (const char *at = target; (at = strchr(at, '%')) != NULL; at++) {
        if (escaped(at, strlen(at)) <= 0)
            return false;
    }
    return true;
}

/* "http://authority/path": the authority is passed over, Host decides nothing here either. */
static const char *skip_authority(const char *target)
{
    const char *authority;

    if (strncasecmp(target, "http://", 7) == 0)
        authority = target + 7;
    else if (strncasecmp(target, "https://", 8) == 0)
        authority = target + 8;
    else
        return target;
    return authority + strcspn(authority, "/?");
}

bool http_target_split(const char *target, struct http_target *parts)
{
    const char *path = skip_authority(target);
    const char *query = strchr(path, '?');

    *parts = (struct http_target){
        .raw_path = path,
        .raw_path_length = query ? (size_t)(query - path) : strlen(path),
        .query = query ? query + 1 : NULL,
    };
    if (path != target && parts->raw_path_length == 0) {
        parts->raw_path = "/";
        parts->raw_path_length = 1;
    }
    if (parts->raw_path[0] != '/' && strcmp(target, "*") != 0)
        return false;
    return are_escapes_good(target);
}

char *http_target_decode(struct arena *arena, const char *bytes, size_t length, bool plus_is_space)
{
    char *text = arena_alloc(arena, length + 1), *to = text;

    for (size_t i = 0; i < length; i++) {
        int value = bytes[i] == '%' ? escaped(bytes + i, length - i) : -1;

        if (value >= 0) {
            *to++ = (char)value;
            i += 2;
        } else if (plus_is_space && bytes[i] == '+') {
            *to++ = ' ';
        } else {
            *to++ = bytes[i];
        }
    }
    *to = '\0';
    return text;
}

bool http_target_parameter(struct arena *arena, const char *query, int index, const char **name,
                           const char **value)
{
    while (query != NULL && *query != '\0') {
        size_t length = strcspn(query, "&"), name_length = strcspn(query, "=&");

        if (index-- == 0) {
            size_t before = name_length + (query[name_length] == '=');

            *name = http_target_decode(arena, query, name_length, true);
            *value = http_target_decode(arena, query + before, length - before, true);
            return true;
        }
        query += length + (query[length] == '&');
    }
    return false;
}

const char *http_target_query(struct arena *arena, const char *query, const char *name)
{
    const char *found, *value;

    for (int i = 0; http_target_parameter(arena, query, i, &found, &value); i++) {
        if (strcmp(found, name) == 0)
            return value;
    }
    return NULL;
}
