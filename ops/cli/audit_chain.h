/* ops/cli/audit_chain.h - is the chain of the audit whole?  Recomputed here, from rows alone
 *
 * Each row's hash is SHA-256 over the hash before it and the row.  Form 2 (audit_append, migration
 * 0002) hashes each field as "<bytes>:<text>,": the words "docket audit 2", id, time in UTC with
 * microseconds, actor, act, target, reason, detail as jsonb prints it.  Form 1, of the first
 * Docket, joined id, time without its Z, actor, act, target, reason by '|'.
 *
 * Ids are consecutive from 1 on.  After a wrong row the check goes on from the hash that stands
 * there, so that each wrong row is named once.  A chain that lost its end is whole in itself: only
 * a head that was noted elsewhere shows that.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AUDIT_HASH_BYTES = 32, AUDIT_HASH_TEXT_SIZE = 2 * AUDIT_HASH_BYTES + 1 };

struct audit_row {
    int64_t id;
    int form;
    const char *at, *actor, *act, *target, *reason, *detail;
    uint8_t hash[AUDIT_HASH_BYTES];
};

/* A row as GET /admin/audit/chain has it; its texts are lent.  False: its hash is none. */
bool audit_row_read(const json_t *json, struct audit_row *row) __attribute__((warn_unused_result));

enum audit_finding {
    AUDIT_RIGHT,
    AUDIT_MISSING, /* rows between the one before and this one are gone */
    AUDIT_CHANGED, /* this row, or the hash before it, is not what was written */
};

struct audit_chain {
    int64_t last_id; /* 0: none yet */
    uint8_t hash[AUDIT_HASH_BYTES];
};

enum audit_finding audit_chain_add(struct audit_chain *chain, const struct audit_row *row);

void audit_hash(const struct audit_row *row, const uint8_t *before, size_t before_length,
                uint8_t hash[AUDIT_HASH_BYTES]);
bool audit_hash_parse(const char *text, uint8_t hash[AUDIT_HASH_BYTES])
    __attribute__((warn_unused_result));
void audit_hash_format(const uint8_t hash[AUDIT_HASH_BYTES], char text[AUDIT_HASH_TEXT_SIZE]);
