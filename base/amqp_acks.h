/* base/amqp_acks.h - which deliveries are still open, and the fewest frames that settle them
 *
 * RabbitMQ numbers a channel's deliveries from 1.  Acks come from the owner in any order.  One
 * flush sends the rejects, then one ack (multiple) for all from the oldest open delivery up to the
 * first that is still open, then the rest one by one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct amqp_acks {
    uint8_t *states; /* a ring; tag t is at t mod room */
    size_t room;     /* a power of two */
    uint64_t first, next;
    uint64_t *noted; /* settled by the owner since the last flush */
    size_t noted_count, noted_room;
};

struct amqp_acks_sink {
    void (*on_ack)(void *to, uint64_t tag, bool is_multiple);
    void (*on_reject)(void *to, uint64_t tag);
    void *to;
};

void amqp_acks_init(struct amqp_acks *acks);
void amqp_acks_finish(struct amqp_acks *acks);
void amqp_acks_delivered(struct amqp_acks *acks, uint64_t tag);
/* Twice, or for a tag that was never delivered: nothing. */
void amqp_acks_note(struct amqp_acks *acks, uint64_t tag, bool is_reject);
void amqp_acks_flush(struct amqp_acks *acks, const struct amqp_acks_sink *sink);
void amqp_acks_lose(struct amqp_acks *acks); /* the channel is gone, tags begin again */
