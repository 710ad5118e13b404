#include "ops/sandbox/form.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

/* One byte of `from` on, decoded; 0 where it is broken.  Moves `from` behind it. */
static char next_byte(const char **from, const char *end)
{
    int high, low;
    char byte = **from;

    if (byte != '%') {
        ++*from;
        if (byte == '+')
            return ' ';
        return byte;
    }
    if (end - *from < 3)
        return '\0';
    high = hex_value((*from)[1]);
    low = hex_value((*from)[2]);
    *from += 3;
    if (high < 0 || low < 0)
        return '\0';
    return (char)(unsigned char)(high * 16 + low);
}

/* Decoded copy of [from, end), NULL if it is broken. */
static const char *decode(struct arena *arena, const char *from, const char *end)
{
    char *decoded = arena_alloc(arena, (size_t)(end - from) + 1);
    char *to = decoded;

    while (from < end) {
        *to = next_byte(&from, end);
        if (*to++ == '\0')
            return NULL;
    }
    return decoded;
}

static bool add_pair(struct form *form, struct arena *arena, const char *from, const char *end)
{
    const char *equals = memchr(from, '=', (size_t)(end - from));
    struct form_pair *pair = &form->pairs[form->count++];

    pair->name = decode(arena, from, equals ? equals : end);
    pair->value = equals ? decode(arena, equals + 1, end) : "";
    return pair->name && pair->value;
}

bool form_parse(struct form *form, struct arena *arena, const char *bytes, size_t length,
                struct fault *fault)
{
    const char *end = bytes + length;

    form->pairs = arena_alloc(arena, FORM_PAIRS_MAX * sizeof(*form->pairs));
    form->count = 0;
    while (bytes < end) {
        const char *stop = memchr(bytes, '&', (size_t)(end - bytes));

        stop = stop ? stop : end;
        if (form->count == FORM_PAIRS_MAX)
            return fail(fault, FAULT_REFUSED, "more than %d parameters", FORM_PAIRS_MAX);
        if (stop > bytes && !add_pair(form, arena, bytes, stop))
            return fail(fault, FAULT_REFUSED, "parameter %zu is not form-encoded", form->count);
        bytes = stop + 1;
    }
    return true;
}

const char *form_value(const struct form *form, const char *name)
{
    for (size_t i = form->count; i-- > 0;)
        if (strcmp(form->pairs[i].name, name) == 0)
            return form->pairs[i].value;
    return NULL;
}

static bool is_known(const char *name, const char *const *known)
{
    for (; *known; known++) {
        size_t length = strlen(*known);

        if (strcmp(name, *known) == 0)
            return true;
        if ((*known)[length - 1] == '[' && strncmp(name, *known, length) == 0)
            return true;
    }
    return false;
}

const char *form_unknown(const struct form *form, const char *const *known)
{
    for (size_t i = 0; i < form->count; i++)
        if (!is_known(form->pairs[i].name, known))
            return form->pairs[i].name;
    return NULL;
}

static int compare_pairs(const void *left, const void *right)
{
    const struct form_pair *a = left, *b = right;
    int names = strcmp(a->name, b->name);

    return names != 0 ? names : strcmp(a->value, b->value);
}

const char *form_canonical(const struct form *form, struct arena *arena)
{
    size_t bytes = form->count * sizeof(*form->pairs);
    struct form_pair *sorted = arena_alloc(arena, bytes + 1);
    CLEANUP(text_finish) struct text text;

    text_init(&text, SIZE_MAX / 2);
    text_add(&text, "");
    if (bytes > 0)
        memcpy(sorted, form->pairs, bytes);
    qsort(sorted, form->count, sizeof(*sorted), compare_pairs);
    for (size_t i = 0; i < form->count; i++) {
        text_add_urlencoded(&text, sorted[i].name);
        text_add(&text, "=");
        text_add_urlencoded(&text, sorted[i].value);
        text_add(&text, "&");
    }
    return arena_copy(arena, text.bytes, text.length);
}

bool form_number(const char *text, int64_t *number)
{
    size_t length = strspn(text, "0123456789");

    if (length == 0 || length > 15 || text[length] != '\0')
        return false;
    *number = strtoll(text, NULL, 10);
    return true;
}
