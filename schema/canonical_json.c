#include "schema/canonical_json.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

/* Before anything recurses: brackets outside of strings. */
static bool is_too_deep(const char *bytes, size_t length)
{
    bool in_string = false;
    int depth = 0;

    for (size_t i = 0; i < length; i++) {
        char c = bytes[i];

        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > JSON_DEPTH_MAX)
                return true;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return false;
}

json_t *json_read(const char *bytes, size_t length, struct fault *fault)
{
    json_error_t error;
    json_t *value;

    if (is_too_deep(bytes, length)) {
        fail_as(fault, FAULT_REFUSED, "invalid_json", "nested more than %d deep", JSON_DEPTH_MAX);
        return NULL;
    }
    /* The parser's own words may quote the input, which is never repeated: line and column say
     * enough. */
    value = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &error);
    if (value == NULL)
        fail_as(fault, FAULT_REFUSED, "invalid_json", "%s at line %d, column %d",
                json_error_code(&error) == json_error_duplicate_key ? "a key stands twice"
                                                                    : "this is no JSON",
                error.line, error.column);
    return value;
}

static char *spell(const json_t *value, size_t *length)
{
    const size_t flags = JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY;
    char *spelling;

    *length = json_dumpb(value, NULL, 0, flags);
    spelling = xcalloc(1, *length + 1);
    if (json_dumpb(value, spelling, *length, flags) != *length)
        abort(); /* the value changed between the two calls */
    return spelling;
}

char *json_canonical(const json_t *value, struct arena *arena)
{
    size_t length;
    char *spelling = spell(value, &length), *copy = arena_copy(arena, spelling, length);

    free(spelling);
    return copy;
}

void json_content_hash(const json_t *value, uint8_t hash[CONTENT_HASH_BYTES])
{
    size_t length;
    char *spelling = spell(value, &length);

    SHA256((const unsigned char *)spelling, length, hash);
    free(spelling);
}

void json_release(json_t **value)
{
    json_decref(*value);
}
