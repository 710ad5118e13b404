/* ops/sandbox/form.h - application/x-www-form-urlencoded, as Stripe's clients send it
 *
 * Names and values are decoded into an arena; metadata[order_id] is a name like any other.  The
 * canonical form does not depend on the order of the pairs: it is what an idempotency key is bound
 * to.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/memory.h"

enum { FORM_PAIRS_MAX = 200 };

struct form_pair {
    const char *name, *value;
};

struct form {
    struct form_pair *pairs;
    size_t count;
};

/* Refuses a broken %XX, a NUL and more than FORM_PAIRS_MAX pairs. */
bool form_parse(struct form *form, struct arena *arena, const char *bytes, size_t length,
                struct fault *fault) __attribute__((warn_unused_result));
const char *form_value(const struct form *form, const char *name); /* the last of it, or NULL */
/* The first name that is not in `known` (NULL ends it); an entry that ends in '[' stands for all
 * names that begin with it.  NULL: all are known. */
const char *form_unknown(const struct form *form, const char *const *known);
const char *form_canonical(const struct form *form, struct arena *arena);

/* Decimal digits only, no sign, up to 15 of them. */
bool form_number(const char *text, int64_t *number) __attribute__((warn_unused_result));
