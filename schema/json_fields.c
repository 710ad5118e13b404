#include "schema/json_fields.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "schema/json_pointer.h"

void problem_note(struct problem_items *problems, const char *pointer, const char *code,
                  const char *format, ...)
{
    char detail[200];
    va_list args;

    if (problems->count == PROBLEMS_MAX)
        return;
    va_start(args, format);
    vsnprintf(detail, sizeof(detail), format, args);
    va_end(args);
    problems->items[problems->count++] = (struct problem_item){
        .pointer = pointer,
        .code = code,
        .detail = arena_copy(problems->arena, detail, strlen(detail)),
    };
}

static const struct json_field *find(const struct json_field *fields, const char *name)
{
    for (; fields->name; fields++) {
        if (strcmp(fields->name, name) == 0)
            return fields;
    }
    return NULL;
}

static void note_unknown(const json_t *object, const char *pointer, const struct json_field *fields,
                         struct problem_items *problems)
{
    const char *name;
    json_t *value;

    /* jansson's iteration wants a pointer that is not const, and changes nothing. */
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        if (find(fields, name) == NULL)
            problem_note(problems, json_pointer_key(problems->arena, pointer, name),
                         "unknown_field", "there is no such field");
    }
}

static bool has_type(const json_t *value, enum json_field_kind kind)
{
    switch (kind) {
    case FIELD_TEXT:
        return json_is_string(value);
    case FIELD_INTEGER:
        return json_is_integer(value);
    case FIELD_OBJECT:
        return json_is_object(value);
    case FIELD_LIST:
        return json_is_array(value);
    case FIELD_FLAG:
        return json_is_boolean(value);
    }
    return false;
}

static const char *type_name(enum json_field_kind kind)
{
    static const char *const names[] = {
        [FIELD_TEXT] = "a string",      [FIELD_INTEGER] = "an integer (no fraction, no quotes)",
        [FIELD_OBJECT] = "an object",   [FIELD_LIST] = "a list",
        [FIELD_FLAG] = "true or false",
    };

    return names[kind];
}

/* Characters of valid UTF-8; -1 if one of them is a control character. */
static int64_t count_characters(const char *text)
{
    int64_t count = 0;

    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c < 0x20 || *c == 0x7f)
            return -1;
        count += (*c & 0xc0) != 0x80;
    }
    return count;
}

static int64_t measure(const json_t *value, enum json_field_kind kind)
{
    switch (kind) {
    case FIELD_TEXT:
        return count_characters(json_string_value(value));
    case FIELD_INTEGER:
        return json_integer_value(value);
    case FIELD_LIST:
        return (int64_t)json_array_size(value);
    case FIELD_OBJECT:
    case FIELD_FLAG:
        break;
    }
    return 0;
}

static const char *unit_name(enum json_field_kind kind)
{
    return kind == FIELD_TEXT   ? " characters, no control characters"
           : kind == FIELD_LIST ? " elements"
                                : "";
}

/* Where a field of the object is; made only when there is something to say about it. */
static const char *at_field(const struct problem_items *problems, const char *pointer,
                            const struct json_field *field)
{
    return json_pointer_key(problems->arena, pointer, field->name);
}

static bool is_right(const json_t *value, const char *pointer, const struct json_field *field,
                     struct problem_items *problems)
{
    int64_t size;

    if (!has_type(value, field->kind)) {
        problem_note(problems, at_field(problems, pointer, field), "wrong_type", "must be %s",
                     type_name(field->kind));
        return false;
    }
    size = measure(value, field->kind);
    if (field->kind != FIELD_OBJECT && field->kind != FIELD_FLAG &&
        (size < field->least || size > field->most)) {
        problem_note(problems, at_field(problems, pointer, field), "out_of_range",
                     "must be %lld to %lld%s", (long long)field->least, (long long)field->most,
                     unit_name(field->kind));
        return false;
    }
    if (field->is_valid && !field->is_valid(json_string_value(value))) {
        problem_note(problems, at_field(problems, pointer, field), "invalid_value", "must be %s",
                     field->expected);
        return false;
    }
    return true;
}

static void store(const json_t *value, const struct json_field *field, void *target)
{
    void *at = (char *)target + field->offset;

    switch (field->kind) {
    case FIELD_TEXT:
        *(const char **)at = json_string_value(value);
        break;
    case FIELD_INTEGER:
        *(int64_t *)at = json_integer_value(value);
        break;
    case FIELD_OBJECT:
    case FIELD_LIST:
        *(const json_t **)at = value;
        break;
    case FIELD_FLAG:
        *(bool *)at = json_is_true(value);
        break;
    }
}

void json_fields_read(const json_t *object, const char *pointer, const struct json_field *fields,
                      void *target, struct problem_items *problems)
{
    if (!json_is_object(object)) {
        problem_note(problems, pointer, "wrong_type", "must be an object");
        return;
    }
    note_unknown(object, pointer, fields, problems);
    for (const struct json_field *field = fields; field->name; field++) {
        const json_t *value = json_object_get(object, field->name);

        if (value == NULL) {
            if (field->is_required)
                problem_note(problems, at_field(problems, pointer, field), "required",
                             "this field is required");
        } else if (is_right(value, pointer, field, problems)) {
            store(value, field, target);
        }
    }
}

const char *json_fields_text(const json_t *object, const struct json_field *field)
{
    const json_t *value = json_object_get(object, field->name);
    const char *text = json_string_value(value);
    int64_t size;

    if (text == NULL)
        return NULL;
    size = count_characters(text);
    return size >= field->least && size <= field->most &&
                   (field->is_valid == NULL || field->is_valid(text))
               ? text
               : NULL;
}
