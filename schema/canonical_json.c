#include "schema/canonical_json.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/text.h"

enum { MEMBERS_FEW = 16, REAL_BYTES_MAX = 64 };

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

/* One member of an object, to be sorted by its key. */
struct member {
    const char *key;
    const json_t *value;
};

static void spell(struct text *out, const json_t *value);

static int compare_members(const void *one, const void *other)
{
    return strcmp(((const struct member *)one)->key, ((const struct member *)other)->key);
}

static void spell_string(struct text *out, const char *string)
{
    static const char escapes[] = "\bb\ff\nn\rr\tt\"\"\\\\"; /* what, and how it is written */
    const unsigned char *from = (const unsigned char *)string, *c;
    const char *escape;

    text_add_bytes(out, "\"", 1);
    for (c = from; *c; c++) {
        if (*c >= 0x20 && *c != '"' && *c != '\\')
            continue;
        text_add_bytes(out, from, (size_t)(c - from));
        from = c + 1;
        escape = strchr(escapes, *c);
        if (escape)
            text_print(out, "\\%c", escape[1]);
        else
            text_print(out, "\\u%04X", *c);
    }
    text_add_bytes(out, from, (size_t)(c - from));
    text_add_bytes(out, "\"", 1);
}

static void spell_members(struct text *out, const struct member *members, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        text_add_bytes(out, i ? "," : "{", 1);
        spell_string(out, members[i].key);
        text_add_bytes(out, ":", 1);
        spell(out, members[i].value);
    }
    text_add(out, count ? "}" : "{}");
}

static void spell_object(struct text *out, const json_t *value)
{
    struct member few[MEMBERS_FEW], *members = few;
    size_t size = json_object_size(value), count = 0;
    const char *key;
    json_t *child;

    if (size > MEMBERS_FEW)
        members = xcalloc(size, sizeof(*members));
    /* jansson's iteration wants a pointer that is not const, and changes nothing. */
    json_object_foreach((json_t *)(uintptr_t)value, key, child) members[count++] =
        (struct member){key, child};
    qsort(members, count, sizeof(*members), compare_members);
    spell_members(out, members, count);
    if (members != few)
        free(members);
}

static void spell_array(struct text *out, const json_t *value)
{
    size_t index;
    json_t *child;

    text_add_bytes(out, "[", 1);
    json_array_foreach(value, index, child)
    {
        if (index > 0)
            text_add_bytes(out, ",", 1);
        spell(out, child);
    }
    text_add_bytes(out, "]", 1);
}

static void spell_real(struct text *out, const json_t *value)
{
    char bytes[REAL_BYTES_MAX];
    size_t length = json_dumpb(value, bytes, sizeof(bytes), JSON_ENCODE_ANY);

    if (length == 0 || length > sizeof(bytes))
        abort(); /* no number is that long */
    text_add_bytes(out, bytes, length);
}

/* As jansson does with JSON_SORT_KEYS and JSON_COMPACT (the hashes of old orders were made so), in
 * a fifth of the time: it measures first, and writes then, through a callback for each comma. */
static void spell(struct text *out, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        spell_object(out, value);
        break;
    case JSON_ARRAY:
        spell_array(out, value);
        break;
    case JSON_STRING:
        spell_string(out, json_string_value(value));
        break;
    case JSON_INTEGER:
        text_print(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        spell_real(out, value);
        break;
    case JSON_TRUE:
        text_add(out, "true");
        break;
    case JSON_FALSE:
        text_add(out, "false");
        break;
    case JSON_NULL:
        text_add(out, "null");
        break;
    }
}

char *json_canonical(const json_t *value, struct arena *arena)
{
    CLEANUP(text_finish) struct text out;

    text_init(&out, SIZE_MAX / 2);
    spell(&out, value);
    return arena_copy(arena, out.bytes, out.length);
}

void json_content_hash(const json_t *value, uint8_t hash[CONTENT_HASH_BYTES])
{
    CLEANUP(text_finish) struct text out;

    text_init(&out, SIZE_MAX / 2);
    spell(&out, value);
    digest_sha256(out.bytes, out.length, hash);
}

void json_release(json_t **value)
{
    json_decref(*value);
}
