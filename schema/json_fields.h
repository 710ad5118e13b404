/* schema/json_fields.h - an object of JSON against a table of its fields
 *
 * One table an object: what it does not name is refused, what it requires must be there, and every
 * value has its type and limits.  Values land in the fields of a struct.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schema/order_json.h"

enum json_field_kind {
    FIELD_TEXT,    /* const char *; least..most characters, none of them a control character */
    FIELD_INTEGER, /* int64_t; least..most */
    FIELD_OBJECT,  /* const json_t * */
    FIELD_LIST,    /* const json_t *; least..most elements */
    FIELD_FLAG,    /* bool */
};

struct json_field {
    const char *name;
    enum json_field_kind kind;
    bool is_required;
    int64_t least, most;
    bool (*is_valid)(const char *text); /* of a text; NULL: any */
    const char *expected;               /* what is_valid wants, for people */
    size_t offset;
};

/* Reads what is right and notes what is wrong; a wrong field is left as it was.  `fields` ends with
 * a name of NULL. */
void json_fields_read(const json_t *object, const char *pointer, const struct json_field *fields,
                      void *target, struct problem_items *problems);
/* Of an optional text alone: NULL unless it stands there and is right. */
const char *json_fields_text(const json_t *object, const struct json_field *field);
