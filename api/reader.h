/* api/reader.h - orders as their owners see them, read in batches
 *
 * The body is a function of the order's version alone.
 */
#pragma once

#include "base/memory.h"
#include "base/text.h"
#include "queue/database.h"
#include "queue/group.h"
#include "schema/order_id.h"

enum { PASSED_MAX = 100 }; /* as in order_passed.sql */

/* A version between the one that is known and the newest. */
struct passed_version {
    int32_t version;
    int16_t status;
    int64_t at_us;
};

struct reading {
    struct order_id id;
    bool wants_passed;
    int32_t known_version; /* what passed since this one */
    uint64_t deadline_ms;
    void (*on_settled)(struct reading *reading);
    void (*on_released)(struct reading *reading); /* the memory is the caller's again */

    bool is_read; /* the answer came; false: the deadline passed, or a fault of ours */
    bool is_found, is_final;
    int64_t account_id, accepted_us;
    int32_t version;
    int16_t token_key, status;
    struct text body; /* freed after on_released, as all below */
    struct passed_version *passed;
    int passed_count;

    /* Private. */
    size_t head_length, tail_length; /* of the body: what differs between versions */
    int64_t attempts_max;            /* to pay an order */
    struct group_ticket group_ticket;
};

/* attempts_max: to pay one order, for the link that leads to another one. */
struct reader *reader_create(uv_loop_t *loop, struct database *database, int waiting_max,
                             int64_t attempts_max);
void reader_destroy(struct reader *reader);
/* False: too many are waiting. */
bool reader_submit(struct reader *reader, struct reading *reading)
    __attribute__((warn_unused_result));
/* The order as it was shown at a version that has passed, but for the reason, the payment, the
 * tracking number and what was given back, which only the newest has, and with the time at which
 * it became so. */
void reader_render_passed(const struct reading *reading, const struct passed_version *passed,
                          struct text *body);
/* Sends a statement of which $1 to $3 are the ids of a batch of readings, the least and the
 * greatest. */
void reader_send(struct group_batch *batch, const struct month_statement *statement,
                 struct pg_params *params);
int reader_waiting(const struct reader *reader);
void reader_register_metrics(void);
bool reader_is_idle(const struct reader *reader);
