/* wire ─► on_delivery ┄┄ the owner works ┄┄► noted ─► acks ─► wire.  A stop is basic.cancel first:
 * quorum queues may forget acks that are followed by a close (traps.md §2.3). */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/amqp_acks.h"
#include "base/amqp_link.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/point.h"

enum {
    CLOSE_MS = 1000,
    CANCEL_MS = 2000,
    SETTLE_MS = 200,
    ACK_MS = 20,
    TAG_SIZE = 48,
};

struct note {
    uint64_t link, tag;
    bool is_reject;
};

struct amqp_consumer {
    struct amqp_link link;
    const struct amqp_consumer_events *events;
    void *owner;
    const char *point, *queue;
    int prefetch;
    void (*on_closed)(void *owner);
    bool is_cancel_told; /* owner's loop only */

    /* Under link.mutex: handed over. */
    struct note *notes;
    size_t note_count, note_room;
    bool is_stop_asked;

    /* The thread's. */
    struct note *taken; /* swapped with notes */
    size_t taken_count, taken_room;
    struct amqp_acks acks;
    enum {
        IDLE, /* to consume as soon as the link is ready */
        CONSUMING,
        DROPPED, /* by the broker */
        STOPPED,
    } state;
    char tag[TAG_SIZE];
    uint64_t acked_ms; /* when the last acks left */
};

static struct amqp_consumer *consumer_of(struct amqp_link *link)
{
    return container_of(link, struct amqp_consumer, link);
}

/* --- on the link's thread --------------------------------------------------------------------- */

/* Never used twice: RabbitMQ 3.10 may hold deliveries back from a tag that comes again (#9164). */
static void make_tag(struct amqp_consumer *consumer)
{
    uint64_t random = 0;

    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        random = clock_monotonic_ns();
    snprintf(consumer->tag, sizeof(consumer->tag), "docket-%ld-%016llx", (long)getpid(),
             (unsigned long long)random);
}

static bool consume(struct amqp_consumer *consumer, struct fault *fault)
{
    struct amqp_link *link = &consumer->link;
    amqp_basic_consume_t method = {.queue = amqp_cstring_bytes(consumer->queue)};

    make_tag(consumer);
    method.consumer_tag = amqp_cstring_bytes(consumer->tag);
    consumer->state = CONSUMING; /* deliveries may come before the answer is seen */
    return amqp_wire_call(&link->wire, AMQP_CHANNEL_WORK, AMQP_BASIC_CONSUME_METHOD, &method,
                          fault);
}

static bool is_stop_asked(struct amqp_consumer *consumer)
{
    bool is_asked;

    pthread_mutex_lock(&consumer->link.mutex);
    is_asked = consumer->is_stop_asked;
    pthread_mutex_unlock(&consumer->link.mutex);
    return is_asked || atomic_load(&consumer->link.is_closing);
}

static bool enter(struct amqp_link *link, struct fault *fault)
{
    struct amqp_consumer *consumer = consumer_of(link);
    amqp_basic_qos_t qos = {.prefetch_count = (uint16_t)consumer->prefetch};

    return amqp_wire_call(&link->wire, AMQP_CHANNEL_WORK, AMQP_BASIC_QOS_METHOD, &qos, fault);
}

static void send_ack(void *to, uint64_t tag, bool is_multiple)
{
    struct amqp_consumer *consumer = to;
    amqp_basic_ack_t ack = {.delivery_tag = tag, .multiple = is_multiple};

    POINT(consumer->point, "ack_before");
    amqp_wire_method(&consumer->link.wire, AMQP_CHANNEL_WORK, AMQP_BASIC_ACK_METHOD, &ack);
}

static void send_reject(void *to, uint64_t tag)
{
    struct amqp_consumer *consumer = to;
    amqp_basic_reject_t reject = {.delivery_tag = tag, .requeue = 0};

    POINT(consumer->point, "ack_before");
    amqp_wire_method(&consumer->link.wire, AMQP_CHANNEL_WORK, AMQP_BASIC_REJECT_METHOD, &reject);
}

static void take_notes(struct amqp_consumer *consumer)
{
    struct note *notes;
    size_t room;

    pthread_mutex_lock(&consumer->link.mutex);
    notes = consumer->taken, room = consumer->taken_room;
    consumer->taken = consumer->notes, consumer->taken_room = consumer->note_room;
    consumer->taken_count = consumer->note_count;
    consumer->notes = notes, consumer->note_room = room;
    consumer->note_count = 0;
    pthread_mutex_unlock(&consumer->link.mutex);
}

static bool flush_acks(struct amqp_consumer *consumer, struct fault *fault)
{
    const struct amqp_acks_sink sink = {send_ack, send_reject, consumer};

    take_notes(consumer);
    for (size_t i = 0; i < consumer->taken_count; i++) {
        const struct note *note = &consumer->taken[i];

        if (note->link == consumer->link.epoch)
            amqp_acks_note(&consumer->acks, note->tag, note->is_reject);
    }
    if (consumer->taken_count == 0)
        return true;
    amqp_acks_flush(&consumer->acks, &sink);
    consumer->acked_ms = clock_monotonic_ms();
    if (!amqp_wire_flush(&consumer->link.wire, fault))
        return false;
    POINT(consumer->point, "ack_after");
    return true;
}

/* Nobody waits for an ack, and each is a command in the log of a quorum queue: those that come one
 * by one leave together. */
static bool is_ack_due(struct amqp_consumer *consumer, bool is_stopping)
{
    uint64_t due = consumer->acked_ms + ACK_MS;

    consumer->link.work_at_ms = 0;
    if (is_stopping || consumer->state == STOPPED || clock_monotonic_ms() >= due)
        return true;
    consumer->link.work_at_ms = due;
    return false;
}

static void post_cancelled(struct amqp_consumer *consumer)
{
    consumer->state = STOPPED;
    amqp_link_post(&consumer->link, amqp_event_new(AMQP_EVENT_CANCELLED));
}

static bool cancel(struct amqp_consumer *consumer, struct fault *fault)
{
    amqp_basic_cancel_t method = {.consumer_tag = amqp_cstring_bytes(consumer->tag)};

    consumer->link.wire.patience_ms = CANCEL_MS;
    if (consumer->state == CONSUMING && !amqp_wire_call(&consumer->link.wire, AMQP_CHANNEL_WORK,
                                                        AMQP_BASIC_CANCEL_METHOD, &method, fault))
        return false;
    post_cancelled(consumer);
    return true;
}

/* Dropped: the queue was deleted, or its leader is gone.  A new basic.consume on the same channel
 * is accepted, but RabbitMQ 3.10 then delivers nothing to it: only a new link helps, and it asserts
 * the topology, too. */
static bool begin_or_renew(struct amqp_consumer *consumer, struct fault *fault)
{
    if (consumer->state == IDLE)
        return consume(consumer, fault);
    if (consumer->state != DROPPED)
        return true;
    return fail_as(fault, FAULT_TRANSIENT, "consumer_cancelled",
                   "RabbitMQ has cancelled the consumer of %s: the queue was deleted, or its "
                   "leader is gone",
                   consumer->queue);
}

static bool work(struct amqp_link *link, struct fault *fault)
{
    struct amqp_consumer *consumer = consumer_of(link);

    bool is_stopping = consumer->state != STOPPED && is_stop_asked(consumer);

    /* First what waits for an answer: it hears the owner's wake meanwhile. */
    if (!is_stopping && !begin_or_renew(consumer, fault))
        return false;
    if (is_ack_due(consumer, is_stopping) && !flush_acks(consumer, fault))
        return false;
    return !is_stopping || cancel(consumer, fault);
}

static void copy_bytes(char *to, size_t size, amqp_bytes_t from)
{
    size_t length = from.len < size - 1 ? from.len : size - 1;

    memcpy(to, from.bytes, length);
    to[length] = '\0';
}

static bool is_key(amqp_bytes_t key, const char *name)
{
    return key.len == strlen(name) && memcmp(key.bytes, name, key.len) == 0;
}

static bool format_value(char *to, size_t size, const amqp_field_value_t *value)
{
    switch (value->kind) {
    case AMQP_FIELD_KIND_UTF8:
    case AMQP_FIELD_KIND_BYTES:
        copy_bytes(to, size, value->value.bytes);
        return true;
    case AMQP_FIELD_KIND_I64:
        snprintf(to, size, "%lld", (long long)value->value.i64);
        return true;
    case AMQP_FIELD_KIND_I32:
        snprintf(to, size, "%ld", (long)value->value.i32);
        return true;
    default:
        return false; /* tables and lists: x-death */
    }
}

static void copy_header(struct amqp_delivery *delivery, const amqp_table_entry_t *header)
{
    struct amqp_header_copy *copy = &delivery->headers[delivery->header_count];

    if (is_key(header->key, "traceparent")) {
        format_value(delivery->trace, sizeof(delivery->trace), &header->value);
        return;
    }
    if (delivery->header_count == (int)ARRAY_SIZE(delivery->headers) ||
        !format_value(copy->value, sizeof(copy->value), &header->value))
        return;
    copy_bytes(copy->name, sizeof(copy->name), header->key);
    delivery->header_count++;
}

static void copy_properties(struct amqp_delivery *delivery,
                            const amqp_basic_properties_t *properties)
{
    if (properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG)
        copy_bytes(delivery->message_id, sizeof(delivery->message_id), properties->message_id);
    if (properties->_flags & AMQP_BASIC_TYPE_FLAG)
        copy_bytes(delivery->type, sizeof(delivery->type), properties->type);
    if (!(properties->_flags & AMQP_BASIC_HEADERS_FLAG))
        return;
    for (int i = 0; i < properties->headers.num_entries; i++)
        copy_header(delivery, &properties->headers.entries[i]);
}

static void on_deliver(struct amqp_consumer *consumer, const struct amqp_incoming *incoming)
{
    const amqp_basic_deliver_t *method = incoming->method->decoded;
    struct amqp_event *event = amqp_event_new(AMQP_EVENT_DELIVERED);
    struct amqp_delivery *delivery = xcalloc(1, sizeof(*delivery));
    char *body = xcalloc(1, incoming->body_length + 1);

    if (incoming->body_length > 0)
        memcpy(body, incoming->body, incoming->body_length);
    delivery->link = consumer->link.epoch;
    delivery->tag = method->delivery_tag;
    delivery->redelivered = method->redelivered;
    copy_bytes(delivery->routing_key, sizeof(delivery->routing_key), method->routing_key);
    copy_properties(delivery, incoming->properties);
    delivery->body = body;
    delivery->body_length = incoming->body_length;
    event->delivery = delivery;
    amqp_acks_delivered(&consumer->acks, delivery->tag);
    amqp_link_post(&consumer->link, event);
}

static void on_incoming(struct amqp_link *link, const struct amqp_incoming *incoming)
{
    struct amqp_consumer *consumer = consumer_of(link);
    const amqp_basic_cancel_t *cancelled = incoming->method->decoded;

    if (incoming->method->id == AMQP_BASIC_DELIVER_METHOD)
        on_deliver(consumer, incoming);
    else if (incoming->method->id == AMQP_BASIC_CANCEL_METHOD &&
             is_key(cancelled->consumer_tag, consumer->tag) && consumer->state == CONSUMING)
        consumer->state = DROPPED;
}

/* A channel hands a quorum queue 32 commands at a time, and forgets the rest if it is closed before
 * the queue has written those: 267 of 300 single acks came back (a_stop_leaves_...).  Nothing tells
 * when it has, so the last acks get a moment. */
static bool is_settled(struct amqp_consumer *consumer)
{
    consumer->link.work_at_ms = consumer->acked_ms + SETTLE_MS;
    return clock_monotonic_ms() >= consumer->link.work_at_ms;
}

static bool is_done(struct amqp_link *link)
{
    struct amqp_consumer *consumer = consumer_of(link);
    bool is_empty;

    pthread_mutex_lock(&link->mutex);
    is_empty = consumer->note_count == 0;
    pthread_mutex_unlock(&link->mutex);
    return is_empty && consumer->state == STOPPED && is_settled(consumer);
}

static void lose(struct amqp_link *link)
{
    struct amqp_consumer *consumer = consumer_of(link);

    amqp_acks_lose(&consumer->acks);
    if (consumer->state != STOPPED && is_stop_asked(consumer))
        post_cancelled(consumer); /* no more deliveries, by the shorter way */
    if (consumer->state != STOPPED)
        consumer->state = IDLE;
}

/* --- on the owner's loop ---------------------------------------------------------------------- */

/* It comes from the thread, and where the link was away also from the stop itself. */
static void tell_cancelled(struct amqp_consumer *consumer)
{
    if (consumer->is_cancel_told)
        return;
    consumer->is_cancel_told = true;
    consumer->events->on_cancelled(consumer->owner);
}

static void tell(struct amqp_link *link, const struct amqp_event *event)
{
    struct amqp_consumer *consumer = consumer_of(link);
    const struct amqp_consumer_events *events = consumer->events;

    if (link->is_closing_told)
        return;
    switch (event->kind) {
    case AMQP_EVENT_READY:
        events->on_ready(consumer->owner);
        return;
    case AMQP_EVENT_LOST:
        events->on_lost(consumer->owner, &event->fault);
        return;
    case AMQP_EVENT_DELIVERED:
        if (!consumer->is_cancel_told)
            events->on_delivery(consumer->owner, event->delivery);
        return;
    case AMQP_EVENT_CANCELLED:
        tell_cancelled(consumer);
        return;
    case AMQP_EVENT_BLOCKED: /* only who publishes is blocked */
    case AMQP_EVENT_SETTLED:
    case AMQP_EVENT_INSPECTED:
    case AMQP_EVENT_CLOSED:
        return;
    }
}

static void release(struct amqp_link *link)
{
    struct amqp_consumer *consumer = consumer_of(link);
    void (*on_closed)(void *owner) = consumer->on_closed;
    void *owner = consumer->owner;

    amqp_acks_finish(&consumer->acks);
    free(consumer->notes);
    free(consumer->taken);
    free(consumer);
    on_closed(owner);
}

static void hand_over(struct amqp_consumer *consumer, const struct note *note)
{
    bool is_first;

    pthread_mutex_lock(&consumer->link.mutex);
    is_first = consumer->note_count == 0;
    if (consumer->note_count == consumer->note_room) {
        consumer->note_room = consumer->note_room ? consumer->note_room * 2 : 256;
        consumer->notes =
            xrealloc(consumer->notes, consumer->note_room * sizeof(consumer->notes[0]));
    }
    consumer->notes[consumer->note_count++] = *note;
    pthread_mutex_unlock(&consumer->link.mutex);
    if (is_first)
        amqp_link_wake(&consumer->link);
}

void amqp_consumer_ack(struct amqp_consumer *consumer, uint64_t link, uint64_t tag)
{
    hand_over(consumer, &(struct note){link, tag, false});
}

void amqp_consumer_reject(struct amqp_consumer *consumer, uint64_t link, uint64_t tag)
{
    hand_over(consumer, &(struct note){link, tag, true});
}

void amqp_consumer_stop(struct amqp_consumer *consumer)
{
    pthread_mutex_lock(&consumer->link.mutex);
    consumer->is_stop_asked = true;
    pthread_mutex_unlock(&consumer->link.mutex);
    if (consumer->link.told_epoch == 0) /* nothing is consumed: the owner need not wait */
        amqp_link_post(&consumer->link, amqp_event_new(AMQP_EVENT_CANCELLED));
    else
        amqp_link_wake(&consumer->link);
}

/* Eight parameters: what a consumer is made of, and its owner knows each.
 * NOLINTNEXTLINE(readability-function-size) */
struct amqp_consumer *amqp_consumer_create(uv_loop_t *loop, const char *uri,
                                           const struct amqp_topology *topology, const char *queue,
                                           int prefetch, const struct amqp_consumer_events *events,
                                           void *owner, const char *point)
{
    static const struct amqp_role role = {"amqp-consume", enter, work, on_incoming,
                                          is_done,        lose,  tell, release};
    struct amqp_consumer *consumer = xcalloc(1, sizeof(*consumer));

    consumer->events = events;
    consumer->owner = owner;
    consumer->point = point;
    consumer->queue = queue;
    consumer->prefetch = prefetch;
    amqp_acks_init(&consumer->acks);
    amqp_link_start(&consumer->link, &role, loop, uri, topology);
    return consumer;
}

void amqp_consumer_close(struct amqp_consumer *consumer, void (*on_closed)(void *owner))
{
    consumer->on_closed = on_closed;
    amqp_link_close(&consumer->link, CLOSE_MS);
}
