#include "schema/order_json.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "schema/json_fields.h"
#include "schema/json_pointer.h"

enum { METADATA_MAX = 20, METADATA_KEY_MAX = 40, METADATA_VALUE_MAX = 500 };

/* The parts of a body, as its top level names them. */
struct parts {
    const char *cart_id;
    const json_t *customer, *lines, *shipping, *expected_total, *payment, *metadata;
};

struct total {
    int64_t amount;
    const char *currency;
};

struct shipping {
    const char *method;
    const json_t *address;
};

struct address {
    const char *line1, *line2, *city, *region, *postal_code, *country;
};

static bool is_visible(const char *text)
{
    for (; *text; text++) {
        if (*text <= ' ' || *text > '~')
            return false;
    }
    return true;
}

static bool is_email(const char *text)
{
    const char *at = strchr(text, '@');

    return at != NULL && at != text && at[1] != '\0' && strchr(at + 1, '@') == NULL &&
           strchr(text, ' ') == NULL;
}

static bool is_country(const char *text)
{
    return strlen(text) == 2 && isupper((unsigned char)text[0]) && isupper((unsigned char)text[1]);
}

static bool is_payment_method(const char *text)
{
    if (strncmp(text, "pm_", 3) != 0 || text[3] == '\0')
        return false;
    for (text += 3; *text; text++) {
        if (!isalnum((unsigned char)*text) && *text != '_')
            return false;
    }
    return true;
}

#define AT(type, field) offsetof(struct type, field)

/* name, kind, required, least, most, rule, rule in words, where to */
#define BODY_FIELDS(of_order)                                                                        \
    {                                                                                                \
        {"cart_id", FIELD_TEXT, false, 1, 128, is_visible, "visible ASCII", AT(parts, cart_id)},     \
            {"customer", FIELD_OBJECT, of_order, 0, 0, NULL, NULL, AT(parts, customer)},             \
            {"lines", FIELD_LIST, true, 1, ORDER_LINES_MAX, NULL, NULL, AT(parts, lines)},           \
            {"shipping", FIELD_OBJECT, true, 0, 0, NULL, NULL, AT(parts, shipping)},                 \
            {"expected_total", FIELD_OBJECT, of_order, 0, 0, NULL, NULL, AT(parts, expected_total)}, \
            {"payment", FIELD_OBJECT, of_order, 0, 0, NULL, NULL, AT(parts, payment)},               \
            {"metadata", FIELD_OBJECT, false, 0, 0, NULL, NULL, AT(parts, metadata)},                \
            {.name = NULL},                                                                          \
    }
#define SHIPPING_FIELDS(of_order)                                                                  \
    {                                                                                              \
        {"method", FIELD_TEXT, true, 1, 64, NULL, NULL, AT(shipping, method)},                     \
            {"address", FIELD_OBJECT, of_order, 0, 0, NULL, NULL, AT(shipping, address)},          \
            {.name = NULL},                                                                        \
    }
static const struct json_field body_fields[] = BODY_FIELDS(true);
static const struct json_field quote_fields[] = BODY_FIELDS(false);
static const struct json_field shipping_fields[] = SHIPPING_FIELDS(true);
static const struct json_field quote_shipping_fields[] = SHIPPING_FIELDS(false);
static const struct json_field customer_fields[] = {
    {"email", FIELD_TEXT, true, 3, 254, is_email, "an e-mail address", AT(order, email)},
    {"name", FIELD_TEXT, true, 1, 200, NULL, NULL, AT(order, name)},
    {.name = NULL},
};
static const struct json_field line_fields[] = {
    {"sku", FIELD_TEXT, true, 1, 64, NULL, NULL, AT(order_line, sku)},
    {"quantity", FIELD_INTEGER, true, 1, ORDER_QUANTITY_MAX, NULL, NULL, AT(order_line, quantity)},
    {.name = NULL},
};
static const struct json_field address_fields[] = {
    {"line1", FIELD_TEXT, true, 1, 200, NULL, NULL, AT(address, line1)},
    {"line2", FIELD_TEXT, false, 1, 200, NULL, NULL, AT(address, line2)},
    {"city", FIELD_TEXT, true, 1, 100, NULL, NULL, AT(address, city)},
    {"region", FIELD_TEXT, false, 1, 100, NULL, NULL, AT(address, region)},
    {"postal_code", FIELD_TEXT, false, 1, 20, NULL, NULL, AT(address, postal_code)},
    {"country", FIELD_TEXT, true, 2, 2, is_country, "two upper-case letters (ISO 3166)",
     AT(address, country)},
    {.name = NULL},
};
static const struct json_field total_fields[] = {
    {"amount", FIELD_INTEGER, true, 1, MONEY_MAX, NULL, NULL, AT(total, amount)},
    {"currency", FIELD_TEXT, true, 3, 3, currency_is_valid, "three upper-case letters (ISO 4217)",
     AT(total, currency)},
    {.name = NULL},
};
static const struct json_field payment_fields[] = {
    {"method", FIELD_TEXT, true, 4, 255, is_payment_method,
     "a payment method's token (\"pm_…\"), never card data", AT(order, payment_method)},
    {.name = NULL},
};

static bool has_sku_before(const struct order *order, int index)
{
    for (int i = 0; i < index; i++) {
        if (order->lines[i].sku && strcmp(order->lines[i].sku, order->lines[index].sku) == 0)
            return true;
    }
    return false;
}

static void read_lines(struct order *order, const json_t *lines, struct problem_items *problems)
{
    order->line_count = (int)json_array_size(lines);
    order->lines = arena_alloc(problems->arena, (size_t)order->line_count * sizeof(*order->lines));
    for (int i = 0; i < order->line_count; i++) {
        const char *at = json_pointer_index(problems->arena, "/lines", (size_t)i);
        struct order_line *line = &order->lines[i];

        json_fields_read(json_array_get(lines, (size_t)i), at, line_fields, line, problems);
        if (line->sku && has_sku_before(order, i))
            problem_note(problems, json_pointer_key(problems->arena, at, "sku"), "duplicate_sku",
                         "this SKU stands on another line: add the quantities up");
    }
}

static void read_shipping(struct order *order, const json_t *object,
                          const struct json_field *fields, struct problem_items *problems)
{
    struct shipping shipping = {NULL, NULL};
    struct address address;

    json_fields_read(object, "/shipping", fields, &shipping, problems);
    order->shipping_method = shipping.method;
    if (shipping.address == NULL)
        return;
    json_fields_read(shipping.address, "/shipping/address", address_fields, &address, problems);
    order->address_json = json_canonical(shipping.address, problems->arena);
}

static void read_total(struct order *order, const json_t *object, struct problem_items *problems)
{
    struct total total = {0, ""};

    json_fields_read(object, "/expected_total", total_fields, &total, problems);
    order->expected_total.amount = total.amount;
    snprintf(order->expected_total.currency, CURRENCY_SIZE, "%s", total.currency);
}

static void check_entry(const char *key, const json_t *value, struct problem_items *problems)
{
    const char *at = json_pointer_key(problems->arena, "/metadata", key);

    if (strlen(key) == 0 || strlen(key) > METADATA_KEY_MAX)
        problem_note(problems, at, "out_of_range", "a key has 1 to %d bytes", METADATA_KEY_MAX);
    else if (!json_is_string(value))
        problem_note(problems, at, "wrong_type", "must be a string");
    else if (json_string_length(value) > METADATA_VALUE_MAX)
        problem_note(problems, at, "out_of_range", "must be 0 to %d bytes", METADATA_VALUE_MAX);
}

static void read_metadata(struct order *order, const json_t *object, struct problem_items *problems)
{
    const char *key;
    json_t *value;

    if (json_object_size(object) > METADATA_MAX)
        problem_note(problems, "/metadata", "out_of_range", "must be 0 to %d entries",
                     METADATA_MAX);
    /* jansson's iteration wants a pointer that is not const, and changes nothing. */
    json_object_foreach((json_t *)(uintptr_t)object, key, value) check_entry(key, value, problems);
    order->metadata_json = json_canonical(object, problems->arena);
}

static void read_customer(struct order *order, const struct parts *parts,
                          struct problem_items *problems)
{
    if (parts->customer)
        json_fields_read(parts->customer, "/customer", customer_fields, order, problems);
    if (parts->expected_total)
        read_total(order, parts->expected_total, problems);
    if (parts->payment)
        json_fields_read(parts->payment, "/payment", payment_fields, order, problems);
}

static bool read_body(struct order *order, const json_t *body, bool is_quote,
                      struct problem_items *problems)
{
    struct parts parts = {.cart_id = NULL};

    *order = (struct order){.cart_id = NULL};
    json_fields_read(body, "", is_quote ? quote_fields : body_fields, &parts, problems);
    order->cart_id = parts.cart_id;
    if (parts.lines)
        read_lines(order, parts.lines, problems);
    if (parts.shipping)
        read_shipping(order, parts.shipping, is_quote ? quote_shipping_fields : shipping_fields,
                      problems);
    read_customer(order, &parts, problems);
    if (parts.metadata)
        read_metadata(order, parts.metadata, problems);
    return problems->count == 0;
}

bool order_from_json(struct order *order, const json_t *body, struct problem_items *problems)
{
    return read_body(order, body, false, problems);
}

bool order_from_quote_json(struct order *order, const json_t *body, struct problem_items *problems)
{
    return read_body(order, body, true, problems);
}

const char *order_json_cart(const json_t *body)
{
    return json_fields_text(body, &body_fields[0]);
}

bool order_method_from_json(const char **method, const json_t *body, struct problem_items *problems)
{
    static const struct json_field fields[] = {
        {"payment", FIELD_OBJECT, true, 0, 0, NULL, NULL, AT(parts, payment)},
        {.name = NULL},
    };
    struct parts parts = {.payment = NULL};
    struct order order = {.payment_method = NULL};

    json_fields_read(body, "", fields, &parts, problems);
    if (parts.payment)
        json_fields_read(parts.payment, "/payment", payment_fields, &order, problems);
    *method = order.payment_method;
    return problems->count == 0;
}
