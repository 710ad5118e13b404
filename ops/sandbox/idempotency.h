/* ops/sandbox/idempotency.h - what a key means, as Stripe's first API has it
 *
 *              ┌──────────── forget (parameters invalid) ───────────┐
 *     (none) ──┴─begin──► in flight ──keep──► kept ──lifetime over──┴──► (none)
 *
 * The first call under a key begins it; its status and body are kept once execution began, whatever
 * they are (a 500, too), and given again to every later call with the same endpoint and parameters.
 * Source: docs.stripe.com/api/idempotent_requests.  Kept answers are journaled by the caller
 * (idempotency_journal) and come back with idempotency_restore; a key in flight at a crash is gone.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "ops/sandbox/table.h"

enum { IDEMPOTENCY_KEY_MAX = 255, IDEMPOTENCY_PRINT_SIZE = 65 };

enum idempotency_verdict {
    IDEMPOTENCY_BEGUN,    /* execute, then keep or forget */
    IDEMPOTENCY_REPLAYED, /* answer with the entry's status and body */
    IDEMPOTENCY_IN_FLIGHT,
    IDEMPOTENCY_MISMATCHED, /* the key belongs to other parameters */
};

struct idempotency_entry {
    struct table_item by_key;
    char *key;
    char print[IDEMPOTENCY_PRINT_SIZE]; /* SHA-256 of endpoint and parameters, in hex */
    int64_t begun_us;                   /* wall clock: the lifetime goes on over a restart */
    int status;                         /* 0: in flight */
    char *body;
    size_t body_length;
};

struct idempotency {
    struct table entries;
    int64_t lifetime_us;
};

void idempotency_init(struct idempotency *store, int64_t lifetime_us);
void idempotency_finish(struct idempotency *store);
void idempotency_print(char print[IDEMPOTENCY_PRINT_SIZE], const char *method, const char *path,
                       const char *parameters);

enum idempotency_verdict idempotency_begin(struct idempotency *store, const char *key,
                                           const char *print, int64_t now_us,
                                           struct idempotency_entry **entry);
void idempotency_keep(struct idempotency_entry *entry, int status, const char *body, size_t length);
void idempotency_forget(struct idempotency *store, struct idempotency_entry *entry);

void idempotency_journal(const struct idempotency_entry *entry, struct text *state);
void idempotency_restore(struct idempotency *store, const json_t *answer);
