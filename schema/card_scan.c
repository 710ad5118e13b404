#include "schema/card_scan.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "schema/json_pointer.h"

enum { DIGITS_MIN = 13, DIGITS_MAX = 19, GTIN_MIN = 8, GTIN_MAX = 14, UUID_LENGTH = 36 };

static bool passes_luhn(const char *digits, int count)
{
    int sum = 0;

    for (int i = 0; i < count; i++) {
        int d = digits[count - 1 - i] - '0';

        if (i % 2 == 1 && (d *= 2) > 9)
            d -= 9;
        sum += d;
    }
    return sum % 10 == 0;
}

/* Groups of digits from here on: after each group, is what was gathered a card number? */
static bool begins_card(const char *c)
{
    char digits[DIGITS_MAX];
    int count = 0;

    if (*c < '2' || *c > '6') /* no issuer of payment cards begins otherwise */
        return false;
    while (isdigit((unsigned char)*c)) {
        if (count == DIGITS_MAX)
            return false;
        digits[count++] = *c++;
        if (isdigit((unsigned char)*c))
            continue;
        if (count >= DIGITS_MIN && !isalpha((unsigned char)*c) && passes_luhn(digits, count))
            return true;
        if (*c == ' ' || *c == '-')
            c++;
    }
    return false;
}

static bool is_uuid(const char *text)
{
    static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

    if (strlen(text) != UUID_LENGTH)
        return false;
    for (int i = 0; i < UUID_LENGTH; i++) {
        if (shape[i] == '-' ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
            return false;
    }
    return true;
}

static bool has_card(const char *text)
{
    if (is_uuid(text))
        return false;
    for (const char *c = text; *c; c++) {
        if (isdigit((unsigned char)*c) && (c == text || !isalnum((unsigned char)c[-1])) &&
            begins_card(c))
            return true;
    }
    return false;
}

static bool is_gtin(const char *text)
{
    size_t length = strlen(text);

    return length >= GTIN_MIN && length <= GTIN_MAX && strspn(text, "0123456789") == length;
}

static bool is_card_key(const char *key)
{
    static const char *const names[] = {"card_number", "cardnumber", "card-number", "pan", "cvc",
                                        "cvc2",        "cvv",        "cvv2",        "csc"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcasecmp(key, names[i]) == 0)
            return true;
    }
    return false;
}

static bool is_card(const char *key, const json_t *value)
{
    char number[24];

    if (json_is_string(value))
        return has_card(json_string_value(value)) &&
               !(strcmp(key, "sku") == 0 && is_gtin(json_string_value(value)));
    if (json_is_integer(value)) {
        snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
        return has_card(number);
    }
    return false;
}

/* Where a value is: the way back to the body, written down only when something was found. */
struct place {
    const struct place *parent; /* NULL: the body itself */
    const char *key;            /* NULL: an element of a list */
    size_t index;
};

static const char *spell(const struct place *place, struct arena *arena)
{
    const char *parent;

    if (place->parent == NULL)
        return "";
    parent = spell(place->parent, arena);
    return place->key ? json_pointer_key(arena, parent, place->key)
                      : json_pointer_index(arena, parent, place->index);
}

static const char *scan(const struct place *at, const char *key, const json_t *value,
                        struct arena *arena)
{
    struct place below = {.parent = at};
    const char *found = NULL;
    json_t *child;

    if (is_card(key, value))
        return spell(at, arena);
    json_array_foreach(value, below.index, child)
    {
        if ((found = scan(&below, key, child, arena)) != NULL)
            return found;
    }
    /* jansson's iteration wants a pointer that is not const, and changes nothing. */
    json_object_foreach((json_t *)(uintptr_t)value, below.key, child)
    {
        if (is_card_key(below.key) || has_card(below.key))
            return spell(&below, arena);
        if ((found = scan(&below, below.key, child, arena)) != NULL)
            return found;
    }
    return NULL;
}

const char *card_scan(const json_t *body, struct arena *arena)
{
    return scan(&(struct place){.parent = NULL}, "", body, arena);
}
