/* base/amqp.h - RabbitMQ links, each on a thread of its own, told on the owner's loop
 *
 * librabbitmq 0.11 can block in any call (traps.md §1.2), so a link lives on its own thread with
 * one connection and one working channel, and speaks with the owner's loop through a queue and
 * uv_async.  A link connects, asserts the topology it was given, and reconnects with a jittered
 * pause for as long as it exists.  Every callback below comes on the owner's loop, never from
 * inside a call of the owner's.  Publishing and consuming are two links.
 *
 * A broker that is silent for 12 s is lost.  So is one that leaves a confirm out for 15 s without
 * an alarm: what is on its way to a quorum queue when that is deleted gets none, for ever.
 *
 *     RESTING ──► CONNECTING ──► DECLARING ──► READY ◄──► BLOCKED (publisher: connection.blocked)
 *        ▲            │              │           │
 *        └────────────┴──────lost────┴───────────┘
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/fault.h"

/* What a link asserts after it has connected: durable things only. */
struct amqp_queue {
    const char *name;
    const char *routing_key; /* bound to the topology's exchange with it; NULL: not bound */
    const char *dead_letter_exchange; /* "" and dead_letter_key: to a queue; NULL: none */
    const char *dead_letter_key;
    int delivery_limit; /* 0: none */
};
struct amqp_topology {
    const char *exchange; /* direct, durable */
    const struct amqp_queue *queues;
    size_t queue_count;
};

/* --- publisher ----------------------------------------------------------------------------- */

enum amqp_verdict {
    AMQP_ACKED,    /* stored by a quorum */
    AMQP_NACKED,   /* refused: publish again later */
    AMQP_RETURNED, /* no queue took it (it was acked, too: that does not count) */
    AMQP_LOST,     /* the link was lost before its confirm: perhaps stored, publish again */
};

struct amqp_header {
    const char *name, *value;
};

struct amqp_message {
    uint64_t cookie; /* the owner's; comes back with the verdict */
    const char *routing_key, *message_id, *type, *content_type;
    const struct amqp_header *headers;
    int header_count;
    const void *body;
    size_t body_length;
};

struct amqp_settled {
    uint64_t cookie;
    enum amqp_verdict verdict;
};

struct amqp_publisher_events {
    void (*on_ready)(void *owner); /* connected and topology asserted, or unblocked */
    void (*on_blocked)(void *owner, const char *reason); /* publish nothing until on_ready */
    /* Every message handed over and not settled is settled as LOST before this.  Such a verdict
     * says already that the link is gone: hand nothing over from there to on_ready.  Told also when
     * the first try to connect fails, or a later one with a new fault (the kind says whether a
     * person has to look: a queue that exists with other arguments is BROKEN, "queue_conflict"). */
    void (*on_lost)(void *owner, const struct fault *fault);
    /* Each message once.  RETURNED makes the link assert the topology again before it publishes. */
    void (*on_settled)(void *owner, const struct amqp_settled *settled, size_t count);
    /* Answer to amqp_publisher_inspect: ready messages in the queue; -1: not to be had now. */
    void (*on_inspected)(void *owner, const char *queue, int64_t messages, int64_t consumers);
};

struct amqp_publisher;

/* uri: amqp://user:password@host:port/vhost.  All pointers outlive the publisher.  point: kill
 * points
 * "<point>.publish_before", ".publish_after" (the kernel has the bytes), ".confirm_received". */
struct amqp_publisher *amqp_publisher_create(uv_loop_t *loop, const char *uri,
                                             const struct amqp_topology *topology,
                                             const struct amqp_publisher_events *events,
                                             void *owner, const char *point);
/* Copies the message; published persistent and mandatory.  Only between on_ready and
 * on_blocked/on_lost; a message given when the link has just gone is settled as LOST.  The owner
 * bounds what is unsettled (thousands are fine). */
void amqp_publisher_send(struct amqp_publisher *publisher, const struct amqp_message *message);
void amqp_publisher_inspect(struct amqp_publisher *publisher, const char *queue);
/* Waits for outstanding confirms up to grace_ms, closes, joins the thread; then on_closed, after
 * which the publisher is gone.  What is unsettled then is settled as LOST before; nothing else but
 * on_settled is told meanwhile.  Takes at most grace_ms + 2.5 s, whatever the broker does (a
 * resolver that hangs while the link connects can hold it longer: give an address). */
void amqp_publisher_close(struct amqp_publisher *publisher, uint64_t grace_ms,
                          void (*on_closed)(void *owner));

/* --- consumer ------------------------------------------------------------------------------ */

struct amqp_delivery {
    uint64_t link; /* which connection it came on: an ack on another one is ignored */
    uint64_t tag;
    bool redelivered;
    char routing_key[64], message_id[64], type[64];
    char trace[64]; /* header traceparent, or "" */
    struct amqp_header_copy {
        char name[32], value[96];
    } headers[8];
    int header_count;
    const void *body; /* lent for the call */
    size_t body_length;
};

struct amqp_consumer_events {
    void (*on_ready)(void *owner);
    void (*on_delivery)(void *owner, const struct amqp_delivery *delivery);
    /* Every unacked delivery comes again.  Also when the broker cancels the consumer, because its
     * queue was deleted: the next link puts the queue back and consumes again. */
    void (*on_lost)(void *owner, const struct fault *fault);
    void (*on_cancelled)(
        void *owner); /* the consumer was stopped by amqp_consumer_stop: no more deliveries */
};

struct amqp_consumer;

struct amqp_consumer *amqp_consumer_create(uv_loop_t *loop, const char *uri,
                                           const struct amqp_topology *topology, const char *queue,
                                           int prefetch, const struct amqp_consumer_events *events,
                                           void *owner, const char *point);
/* Acks and rejects are coalesced on the link's thread.  Kill points "<point>.ack_before",
 * ".ack_after". */
void amqp_consumer_ack(struct amqp_consumer *consumer, uint64_t link, uint64_t tag);
/* To the dead-letter exchange (what cannot be parsed). */
void amqp_consumer_reject(struct amqp_consumer *consumer, uint64_t link, uint64_t tag);
/* basic.cancel, waits for cancel-ok, then on_cancelled, once (at once where there is no link;
 * within 5 s if the broker is frozen); deliveries in flight are still to be acked. */
void amqp_consumer_stop(struct amqp_consumer *consumer);
/* Sends buffered acks, stops if that was not done, closes, joins; then on_closed, after which the
 * consumer is gone: nothing else is told meanwhile.  At most 3.5 s, whatever the broker does. */
void amqp_consumer_close(struct amqp_consumer *consumer, void (*on_closed)(void *owner));

void amqp_register_metrics(void); /* of all links of the process */
