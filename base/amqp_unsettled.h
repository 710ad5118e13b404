/* base/amqp_unsettled.h - what was published and not yet confirmed, by delivery tag
 *
 * Tags count from 1 on each channel.  A confirm may cover all lower tags and may come out of order;
 * a return carries no tag and is found by its message id; its ack, which follows, settles the
 * message as RETURNED.  Each message leaves exactly once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/amqp.h"

struct amqp_settled_batch {
    struct amqp_settled *settled;
    size_t count, room;
};
void amqp_settled_add(struct amqp_settled_batch *batch, uint64_t cookie, enum amqp_verdict verdict);

struct amqp_unsettled {
    struct amqp_unsettled_entry *entries; /* a ring; tag t is at t mod room */
    size_t room, count;                   /* room: a power of two */
    uint64_t first, next;                 /* tags in the ring: first to next - 1, some settled */
    uint64_t seek;                        /* returns come in the order of publishing: look here */
};

void amqp_unsettled_init(struct amqp_unsettled *unsettled);
void amqp_unsettled_finish(struct amqp_unsettled *unsettled);
/* Its tag. */
uint64_t amqp_unsettled_add(struct amqp_unsettled *unsettled, uint64_t cookie,
                            const char *message_id);
/* The tag of the oldest unsettled message of this id, which is returned from now on; 0: none. */
uint64_t amqp_unsettled_return(struct amqp_unsettled *unsettled, const char *message_id,
                               size_t length);
/* A confirm; of what is settled already or was never published it settles nothing. */
void amqp_unsettled_settle(struct amqp_unsettled *unsettled, uint64_t tag, bool is_multiple,
                           enum amqp_verdict verdict, struct amqp_settled_batch *batch);
/* The channel is gone: all are lost, tags begin again. */
void amqp_unsettled_lose(struct amqp_unsettled *unsettled, struct amqp_settled_batch *batch);
