#include "schema/dead_filter.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "schema/money.h"
#include "schema/order_id.h"
#include "schema/stages.h"
#include "schema/value_text.h"

enum { VALUE_SIZE = 256, VALUES_MAX = 100, WHY_LENGTH_MAX = 350 };

enum op { OP_IS, OP_CONTAINS, OP_LEAST, OP_MOST, OP_ABOVE, OP_BELOW };

struct parser {
    const char *text, *at;
    json_t *json;
    struct dead_filter *filter;
    struct fault *fault;
};

struct field {
    const char *name;
    const char *key;     /* in the JSON; of a range what comes before _min and _max */
    const char *allowed; /* what it may look like */
    unsigned ops;
    /* One value that stands at `place`.  False: complained. */
    bool (*take)(struct parser *parser, const struct field *field, enum op op, const char *value,
                 const char *place);
};

#define OP(op)  (1U << (op))
#define RANGES  (OP(OP_IS) | OP(OP_LEAST) | OP(OP_MOST) | OP(OP_ABOVE) | OP(OP_BELOW))
#define ALLOWED "allowed: "

static bool complain(struct parser *parser, const char *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool complain(struct parser *parser, const char *place, const char *format, ...)
{
    char why[sizeof(parser->fault->text)];
    size_t cut;
    int column = 1;
    va_list args;

    va_start(args, format);
    vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    if (strlen(why) > WHY_LENGTH_MAX) { /* not within a character */
        for (cut = WHY_LENGTH_MAX; ((unsigned char)why[cut] & 0xc0) == 0x80; cut--)
            continue;
        why[cut] = '\0';
    }
    for (const char *c = parser->text; c < place; c++)
        column += ((unsigned char)*c & 0xc0) != 0x80;
    parser->filter->error_at = (size_t)(place - parser->text);
    return fail_as(parser->fault, FAULT_REFUSED, "invalid_filter", "at character %d: %.300s",
                   column, why);
}

/* --- values ----------------------------------------------------------------------------------- */

static bool add_value(struct parser *parser, const struct field *field, const char *place,
                      json_t *value)
{
    json_t *list = json_object_get(parser->json, field->key);

    if (list == NULL) {
        list = json_array();
        json_object_set_new(parser->json, field->key, list);
    }
    json_array_append_new(list, value);
    return json_array_size(list) <= VALUES_MAX ||
           complain(parser, place, "%s may name at most %d values", field->name, VALUES_MAX);
}

static bool take_text(struct parser *parser, const struct field *field, enum op op,
                      const char *value, const char *place)
{
    (void)op;
    return add_value(parser, field, place, json_string(value));
}

static bool take_word_of(struct parser *parser, const struct field *field, const char *value,
                         const char *place, const char *const *words)
{
    for (; *words; words++) {
        if (strcmp(*words, value) == 0)
            return add_value(parser, field, place, json_string(value));
    }
    return complain(parser, place, "“%s” is no %s; " ALLOWED "%s", value, field->name,
                    field->allowed);
}

static bool take_kind(struct parser *parser, const struct field *field, enum op op,
                      const char *value, const char *place)
{
    static const char *const kinds[] = {"refused", "transient", "unknown", "broken", NULL};

    (void)op;
    return take_word_of(parser, field, value, place, kinds);
}

static bool take_state(struct parser *parser, const struct field *field, enum op op,
                       const char *value, const char *place)
{
    static const char *const states[] = {"open", "replaying", "resolved", "discarded", NULL};

    (void)op;
    if (strcmp(value, "all") != 0)
        return take_word_of(parser, field, value, place, states);
    for (size_t i = 0; states[i]; i++) {
        if (!add_value(parser, field, place, json_string(states[i])))
            return false;
    }
    return true;
}

static bool take_stage(struct parser *parser, const struct field *field, enum op op,
                       const char *value, const char *place)
{
    enum stage stage = STAGE_NONE;

    (void)op;
    if (strcmp(value, "none") != 0 && !stage_parse(value, &stage))
        return complain(parser, place, "“%s” is no stage; " ALLOWED "%s", value, field->allowed);
    return add_value(parser, field, place, json_integer(stage));
}

static bool take_order(struct parser *parser, const struct field *field, enum op op,
                       const char *value, const char *place)
{
    char uuid[ORDER_ID_UUID_SIZE];
    struct order_id id;

    (void)op;
    if (!order_id_parse(&id, value) && !order_id_parse_uuid(&id, value))
        return complain(parser, place, "“%s” is no order; " ALLOWED "%s", value, field->allowed);
    order_id_format_uuid(&id, uuid);
    return add_value(parser, field, place, json_string(uuid));
}

static bool take_incident(struct parser *parser, const struct field *field, enum op op,
                          const char *value, const char *place)
{
    bool is_incident = strlen(value) == 16 && strncmp(value, "inc_", 4) == 0 &&
                       strspn(&value[4], "0123456789abcdef") == 12;

    (void)op;
    if (!is_incident)
        return complain(parser, place, "“%s” is no incident; " ALLOWED "%s", value, field->allowed);
    return add_value(parser, field, place, json_string(value));
}

static bool take_id(struct parser *parser, const struct field *field, enum op op, const char *value,
                    const char *place)
{
    int64_t id;

    (void)op;
    if (!value_number(value, INT64_MAX, &id))
        return complain(parser, place, "“%s” is no id; " ALLOWED "%s", value, field->allowed);
    return add_value(parser, field, place, json_integer(id));
}

/* --- ranges ----------------------------------------------------------------------------------- */

/* The closer bound of the two. */
static void bound(struct parser *parser, const char *key, const char *end, int64_t value)
{
    bool is_least = strncmp(end, "_min", 4) == 0;
    char name[32];
    const json_t *before;

    snprintf(name, sizeof(name), "%s%s", key, end);
    before = json_object_get(parser->json, name);
    if (before && (json_integer_value(before) > value) == is_least)
        return;
    json_object_set_new(parser->json, name, json_integer(value));
}

static void bound_both(struct parser *parser, const char *key, enum op op, int64_t value)
{
    if (op == OP_IS || op == OP_LEAST || op == OP_ABOVE)
        bound(parser, key, "_min", value + (op == OP_ABOVE));
    if (op == OP_IS || op == OP_MOST || op == OP_BELOW)
        bound(parser, key, "_max", value - (op == OP_BELOW));
}

static bool take_attempts(struct parser *parser, const struct field *field, enum op op,
                          const char *value, const char *place)
{
    int64_t number;

    if (!value_number(value, INT32_MAX - 1, &number))
        return complain(parser, place, "“%s” is no number of attempts; " ALLOWED "%s", value,
                        field->allowed);
    bound_both(parser, field->key, op, number);
    return true;
}

/* Longer than so many seconds, or shorter: 90s, 2h, 1d12h. */
static bool take_age(struct parser *parser, const struct field *field, enum op op,
                     const char *value, const char *place)
{
    int64_t sum;

    if (!value_span_s(value, &sum))
        return complain(parser, place, "“%s” is no time span; " ALLOWED "%s", value,
                        field->allowed);
    bound(parser, field->key, op == OP_LEAST || op == OP_ABOVE ? "_min_s" : "_max_s", sum);
    return true;
}

static bool take_amount(struct parser *parser, const struct field *field, enum op op,
                        const char *value, const char *place)
{
    const char *before = json_string_value(json_object_get(parser->json, "currency"));
    struct money money;

    if (!value_money(value, &money))
        return complain(parser, place, "“%s” is no amount of money; " ALLOWED "%s", value,
                        field->allowed);
    if (before && strcmp(before, money.currency) != 0)
        return complain(parser, place, "an amount in %s and one in %s: no letter has both", before,
                        money.currency);
    json_object_set_new(parser->json, "currency", json_string(money.currency));
    bound_both(parser, field->key, op, money.amount);
    return true;
}

/* --- times ------------------------------------------------------------------------------------ */

static bool take_stamp(struct parser *parser, const struct field *field, enum op op,
                       const char *value, const char *place)
{
    char stamp[VALUE_STAMP_SIZE];

    (void)op;
    if (!value_stamp(value, stamp))
        return complain(parser, place, "“%s” is no time; " ALLOWED "%s", value, field->allowed);
    if (json_object_get(parser->json, field->key))
        return complain(parser, place, "%s is said twice", field->name);
    json_object_set_new(parser->json, field->key, json_string(stamp));
    return true;
}

/* --- the language ----------------------------------------------------------------------------- */

static const struct field fields[] = {
    {"age", "age", "age>2h, age<1d12h (s, m, h, d, w)", RANGES & ~OP(OP_IS), take_age},
    {"amount", "amount", "amount>=50.00EUR, amount<100USD (always with the currency)", RANGES,
     take_amount},
    {"attempts", "attempts", "attempts>=3, attempts:1", RANGES, take_attempts},
    {"code", "codes", "code:gone,card_error", OP(OP_IS), take_text},
    {"fault", "kinds", "fault:refused, transient, unknown, broken", OP(OP_IS), take_kind},
    {"id", "ids", "id:7,8", OP(OP_IS), take_id},
    {"incident", "incidents", "incident:inc_ and 12 digits, as `docket dead list` shows it",
     OP(OP_IS), take_incident},
    {"order", "orders", "order:ord_… or its uuid", OP(OP_IS), take_order},
    {"since", "since", "since:2026-11-24 or since:2026-11-24T10:30:00Z (until: ends before it)",
     OP(OP_IS), take_stamp},
    {"sku", "skus", "sku:MUG-1,TEA-2", OP(OP_IS), take_text},
    {"stage", "stages",
     "stage:payment, fulfilment, cancel, refund, none (messages that could not be read)", OP(OP_IS),
     take_stage},
    {"state", "states", "state:open, replaying, resolved, discarded, all", OP(OP_IS), take_state},
    {"text", "texts", "text~\"timed out\" (in the fault's text, in any case)", OP(OP_CONTAINS),
     take_text},
    {"until", "until", "until:2026-11-24 or until:2026-11-24T10:30:00Z", OP(OP_IS), take_stamp},
};

const char dead_filter_help[] =
    "A FILTER is terms separated by blanks; all must hold, a list means any of them:\n"
    "  age>2h age<1d12h           how long ago it first gave up (s, m, h, d, w)\n"
    "  since:2026-11-24 until:2026-11-24T10:30:00Z\n"
    "  stage:payment,fulfilment   none: messages that could not be read\n"
    "  fault:broken               refused, transient, unknown or broken\n"
    "  code:gone,card_error       the fault's or the provider's code\n"
    "  text~\"timed out\"           in the fault's text, in any case\n"
    "  sku:MUG-1  order:ord_…  id:7,8  incident:inc_…\n"
    "  amount>=50.00EUR           also < <= > : and always with the currency\n"
    "  attempts>=3                also < <= > :\n"
    "  state:open                 replaying, resolved, discarded, all; without it: open\n";

static const struct field *find_field(const char *name, size_t length)
{
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        if (strlen(fields[i].name) == length && strncmp(fields[i].name, name, length) == 0)
            return &fields[i];
    }
    return NULL;
}

static bool take_op(struct parser *parser, enum op *op)
{
    static const struct {
        const char *sign;
        enum op op;
    } signs[] = {{">=", OP_LEAST}, {"<=", OP_MOST}, {">", OP_ABOVE},   {"<", OP_BELOW},
                 {":", OP_IS},     {"=", OP_IS},    {"~", OP_CONTAINS}};

    for (size_t i = 0; i < ARRAY_SIZE(signs); i++) {
        if (strncmp(parser->at, signs[i].sign, strlen(signs[i].sign)) == 0) {
            parser->at += strlen(signs[i].sign);
            *op = signs[i].op;
            return true;
        }
    }
    return false;
}

/* The next value, bare or in quotes (where \" and \\ stand for themselves). */
static bool take_value(struct parser *parser, const struct field *field, bool is_list,
                       char value[VALUE_SIZE])
{
    const char *place = parser->at;
    bool is_quoted = *place == '"';
    size_t length = 0;

    parser->at += is_quoted;
    while (*parser->at && (is_quoted ? *parser->at != '"' : *parser->at != ' ') &&
           (is_quoted || !is_list || *parser->at != ',')) {
        if (is_quoted && *parser->at == '\\' && (parser->at[1] == '"' || parser->at[1] == '\\'))
            parser->at++;
        if (length + 1 == VALUE_SIZE)
            return complain(parser, place, "this value is longer than %d bytes", VALUE_SIZE - 1);
        value[length++] = *parser->at++;
    }
    value[length] = '\0';
    if (is_quoted && *parser->at != '"')
        return complain(parser, place, "this quote has no end");
    parser->at += is_quoted;
    return length > 0 || complain(parser, place, "%s lacks its value; " ALLOWED "%s", field->name,
                                  field->allowed);
}

static bool take_values(struct parser *parser, const struct field *field, enum op op)
{
    bool is_list = op == OP_IS;
    char value[VALUE_SIZE];

    do {
        const char *place = parser->at;

        if (!take_value(parser, field, is_list, value) ||
            !field->take(parser, field, op, value, place))
            return false;
    } while (is_list && *parser->at == ',' && parser->at++);
    if (*parser->at && *parser->at != ' ')
        return complain(parser, parser->at, "a blank is missing before this");
    return true;
}

static bool take_term(struct parser *parser)
{
    static const char names[] = "age, amount, attempts, code, fault, id, incident, order, since, "
                                "sku, stage, state, text, until";
    const char *place = parser->at;
    size_t length = strspn(place, "abcdefghijklmnopqrstuvwxyz_");
    const struct field *field = find_field(place, length);
    enum op op;

    if (length == 0 || length >= VALUE_SIZE / 4)
        return complain(parser, place, "a term begins with its field; fields are %s", names);
    if (field == NULL)
        return complain(parser, place, "there is no field “%.*s”; fields are %s", (int)length,
                        place, names);
    parser->at += length;
    if (!take_op(parser, &op) || !(field->ops & OP(op)))
        return complain(parser, place + length, "this does not go with %s; " ALLOWED "%s",
                        field->name, field->allowed);
    if (op == OP_IS && json_is_array(json_object_get(parser->json, field->key)))
        return complain(parser, place, "%s is said twice; a list means any of them: %s:a,b",
                        field->name, field->name);
    parser->filter->is_empty &= strcmp(field->name, "state") == 0;
    return take_values(parser, field, op);
}

static bool is_sound(struct parser *parser)
{
    json_t *whole = json_string(parser->text);
    bool is_utf8 = whole != NULL;

    json_decref(whole);
    if (!is_utf8)
        return complain(parser, parser->text, "a filter is UTF-8");
    for (const char *c = parser->text; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return complain(parser, c, "control characters are not allowed");
    }
    if (strlen(parser->text) > DEAD_FILTER_TEXT_MAX)
        return complain(parser, parser->text + DEAD_FILTER_TEXT_MAX,
                        "a filter has at most %d bytes", DEAD_FILTER_TEXT_MAX);
    return true;
}

static bool take_terms(struct parser *parser)
{
    if (!is_sound(parser))
        return false;
    parser->at += strspn(parser->at, " ");
    while (*parser->at) {
        if (!take_term(parser))
            return false;
        parser->at += strspn(parser->at, " ");
    }
    if (json_object_get(parser->json, "states") == NULL)
        json_object_set_new(parser->json, "states", json_pack("[s]", "open"));
    return true;
}

bool dead_filter_parse(const char *text, struct dead_filter *filter, struct fault *fault)
{
    struct parser parser = {text, text, json_object(), filter, fault};
    bool is_right;
    size_t length;

    filter->is_empty = true;
    filter->error_at = 0;
    is_right = take_terms(&parser);
    if (is_right) {
        length = json_dumpb(parser.json, filter->json, sizeof(filter->json) - 1, JSON_COMPACT);
        is_right = (length > 0 && length < sizeof(filter->json)) ||
                   complain(&parser, text, "this is too much for one filter");
        filter->json[is_right ? length : 0] = '\0';
    }
    json_decref(parser.json);
    return is_right;
}

void dead_filter_bind(const struct dead_filter *filter, struct pg_params *params)
{
    pg_add_text(params, filter->json);
}
