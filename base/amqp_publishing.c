#include "base/amqp_publishing.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/point.h"

enum {
    UNSENT_MAX = 64 * 1024, /* frames made ahead of the kernel's buffer */
    MEND_MS = 1000,         /* at most one new assertion of the topology in this time */
    PROBE_MS = 1000,        /* without a confirm: is the queue still there? */
    CONFIRM_MS = 15000,     /* without a confirm: none will come */
    NACKED_MS = 10000,      /* refused for so long: ask on a new channel whether it still is so */
    NACKS_APART_MS = 30000, /* what was refused so long ago has nothing to do with it */
    HEADERS_MAX = 16,
    NO_ROUTE = 312,
    PERSISTENT = 2,
};

static void begin_watch(struct amqp_publisher *publisher, uint64_t now)
{
    publisher->oldest_tag = publisher->unsettled.first;
    publisher->oldest_since_ms = now;
    publisher->probe_at_ms = now + PROBE_MS;
}

bool publishing_enter(struct amqp_link *link, struct fault *fault)
{
    struct amqp_publisher *publisher = publisher_of(link);
    amqp_confirm_select_t confirm = {0};

    publisher->is_suspect = false;
    publisher->asserted_tag = 0;
    publisher->nacked_since_ms = publisher->nacked_ms = 0;
    begin_watch(publisher, clock_monotonic_ms());
    return amqp_wire_call(&link->wire, AMQP_CHANNEL_WORK, AMQP_CONFIRM_SELECT_METHOD, &confirm,
                          fault);
}

static void post_batch(struct amqp_publisher *publisher)
{
    amqp_link_post_settled(&publisher->link, publisher->batch.settled, publisher->batch.count);
    publisher->batch.count = 0;
}

void publishing_post_inspected(struct amqp_link *link, const char *queue, int64_t messages,
                               int64_t consumers)
{
    struct amqp_event *event = amqp_event_new(AMQP_EVENT_INSPECTED);

    snprintf(event->text, sizeof(event->text), "%s", queue);
    event->messages = messages;
    event->consumers = consumers;
    amqp_link_post(link, event);
}

/* False: the link is lost. */
static bool inspect(struct amqp_link *link, const char *queue, struct fault *fault)
{
    struct amqp_wire *wire = &link->wire;
    amqp_queue_declare_t declare = {.queue = amqp_cstring_bytes(queue), .passive = 1};

    if (!wire->is_blocked && amqp_wire_open_channel(wire, AMQP_CHANNEL_CONTROL, fault) &&
        amqp_wire_call(wire, AMQP_CHANNEL_CONTROL, AMQP_QUEUE_DECLARE_METHOD, &declare, fault)) {
        publishing_post_inspected(link, queue, wire->answer.messages, wire->answer.consumers);
        return true;
    }
    publishing_post_inspected(link, queue, -1, -1);
    return wire->is_blocked || wire->answer.state == AMQP_REFUSED;
}

static struct inspection *take_inspection(struct amqp_publisher *publisher)
{
    struct inspection *inspection;

    pthread_mutex_lock(&publisher->link.mutex);
    inspection = STAILQ_FIRST(&publisher->inspections);
    if (inspection != NULL)
        STAILQ_REMOVE_HEAD(&publisher->inspections, entry);
    pthread_mutex_unlock(&publisher->link.mutex);
    return inspection;
}

static bool answer_inspections(struct amqp_publisher *publisher, struct fault *fault)
{
    struct inspection *inspection;
    bool is_alive = true;

    while (is_alive && (inspection = take_inspection(publisher)) != NULL) {
        is_alive = inspect(&publisher->link, inspection->queue, fault);
        free(inspection);
    }
    return is_alive;
}

/* Only what the owner gave to this epoch: after a loss it is first told that all before is lost. */
static void take(struct amqp_publisher *publisher)
{
    struct amqp_link *link = &publisher->link;

    pthread_mutex_lock(&link->mutex);
    if (link->told_epoch == link->epoch)
        STAILQ_CONCAT(&publisher->taken, &publisher->list);
    pthread_mutex_unlock(&link->mutex);
}

/* A queue of ours was deleted or unbound while we publish: put it back before anything else. */
static bool mend(struct amqp_publisher *publisher, struct fault *fault)
{
    struct amqp_link *link = &publisher->link;
    uint64_t now = clock_monotonic_ms();

    link->work_at_ms = 0;
    if (!publisher->is_suspect || link->wire.is_blocked)
        return true;
    if (now < publisher->mend_at_ms) {
        link->work_at_ms = publisher->mend_at_ms;
        return true;
    }
    if (!amqp_topology_assert(&link->wire, link->topology, link->address.vhost, fault))
        return false;
    publisher->mend_at_ms = now + MEND_MS;
    publisher->asserted_tag = publisher->unsettled.next;
    publisher->is_suspect = false;
    return true;
}

/* What was on its way to a quorum queue when that was deleted gets neither confirm nor return from
 * RabbitMQ 3.10, and would fill the window for good.  Only a new link ends that. */
static bool watch(struct amqp_publisher *publisher, struct fault *fault)
{
    struct amqp_link *link = &publisher->link;
    uint64_t now = clock_monotonic_ms();

    if (publisher->unsettled.count == 0 || link->wire.is_blocked ||
        publisher->unsettled.first != publisher->oldest_tag) {
        begin_watch(publisher, now);
        return true;
    }
    if (now - publisher->oldest_since_ms >= CONFIRM_MS)
        return fail_as(fault, FAULT_TRANSIENT, "confirm_missing",
                       "RabbitMQ: a confirm has been missing for %d ms; its queue was deleted, or "
                       "has no leader: if this comes again, see `rabbitmqctl list_queues name "
                       "state` and delete the queue that is stuck; it is made anew",
                       CONFIRM_MS);
    if (now < publisher->probe_at_ms)
        return true;
    publisher->probe_at_ms = now + PROBE_MS;
    return amqp_topology_check(&link->wire, link->topology, fault);
}

/* A channel that was once told that a quorum queue is full refuses for it by itself from then on,
 * in RabbitMQ 3.10 also after the limit is gone.  A new one asks the queue. */
static bool still_believe(const struct amqp_publisher *publisher, struct fault *fault)
{
    if (publisher->nacked_ms - publisher->nacked_since_ms < NACKED_MS)
        return true;
    return fail_as(fault, FAULT_TRANSIENT, "nacked",
                   "RabbitMQ has refused messages for %d ms (a queue is full, or has no quorum): "
                   "asking again on a new connection",
                   NACKED_MS);
}

static void note_nack(struct amqp_publisher *publisher)
{
    uint64_t now = clock_monotonic_ms();

    if (now - publisher->nacked_ms > NACKS_APART_MS)
        publisher->nacked_since_ms = now;
    publisher->nacked_ms = now;
}

/* A name in AMQP has 255 bytes at most; a longer one would break the stream. */
static amqp_bytes_t short_text(const char *text)
{
    return (amqp_bytes_t){strnlen(text, 255), (void *)(uintptr_t)text};
}

static amqp_table_t headers_of(const struct amqp_message *message, amqp_table_entry_t *entries)
{
    amqp_table_t table = {0, entries};

    for (int i = 0; i < message->header_count && i < HEADERS_MAX; i++) {
        entries[i].key = short_text(message->headers[i].name);
        entries[i].value.kind = AMQP_FIELD_KIND_UTF8;
        entries[i].value.value.bytes = amqp_cstring_bytes(message->headers[i].value);
        table.num_entries++;
    }
    return table;
}

static void publish(struct amqp_publisher *publisher, const struct amqp_message *message)
{
    struct amqp_wire *wire = &publisher->link.wire;
    amqp_table_entry_t entries[HEADERS_MAX];
    amqp_basic_publish_t method = {.exchange =
                                       amqp_cstring_bytes(publisher->link.topology->exchange),
                                   .routing_key = short_text(message->routing_key),
                                   .mandatory = 1};
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_HEADERS_FLAG |
                  AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TYPE_FLAG,
        .content_type = short_text(message->content_type),
        .headers = headers_of(message, entries),
        .delivery_mode = PERSISTENT,
        .message_id = short_text(message->message_id),
        .type = short_text(message->type)};

    POINT(publisher->point, "publish_before");
    amqp_wire_method(wire, AMQP_CHANNEL_WORK, AMQP_BASIC_PUBLISH_METHOD, &method);
    amqp_wire_content(wire, &properties, message->body, message->body_length);
    amqp_unsettled_add(&publisher->unsettled, message->cookie, message->message_id);
}

static bool publish_taken(struct amqp_publisher *publisher, struct fault *fault)
{
    struct amqp_wire *wire = &publisher->link.wire;
    struct amqp_publish *first;
    bool is_any = false;

    while (!wire->is_blocked && !publisher->is_suspect &&
           (first = STAILQ_FIRST(&publisher->taken)) != NULL) {
        if (amqp_wire_unsent(wire) >= UNSENT_MAX && !amqp_wire_flush(wire, fault))
            return false;
        if (amqp_wire_unsent(wire) >= UNSENT_MAX) /* the turn waits until it can be written */
            break;
        STAILQ_REMOVE_HEAD(&publisher->taken, entry);
        publish(publisher, &first->message);
        free(first);
        is_any = true;
    }
    if (!amqp_wire_flush(wire, fault))
        return false;
    if (is_any)
        POINT(publisher->point, "publish_after");
    return true;
}

bool publishing_work(struct amqp_link *link, struct fault *fault)
{
    struct amqp_publisher *publisher = publisher_of(link);

    /* These wait for answers, and hear the owner's wake and confirms meanwhile. */
    if (!answer_inspections(publisher, fault) || !mend(publisher, fault) ||
        !watch(publisher, fault) || !still_believe(publisher, fault))
        return false;
    post_batch(publisher);
    take(publisher);
    return publish_taken(publisher, fault);
}

static void on_confirm(struct amqp_publisher *publisher, uint64_t tag, bool is_multiple,
                       enum amqp_verdict verdict)
{
    POINT(publisher->point, "confirm_received");
    amqp_unsettled_settle(&publisher->unsettled, tag, is_multiple, verdict, &publisher->batch);
}

static void on_nack(struct amqp_publisher *publisher, const amqp_basic_nack_t *nack)
{
    note_nack(publisher);
    on_confirm(publisher, nack->delivery_tag, nack->multiple, AMQP_NACKED);
}

static bool is_of_topology(const struct amqp_topology *topology, amqp_bytes_t key)
{
    for (size_t i = 0; i < topology->queue_count; i++) {
        const char *known = topology->queues[i].routing_key;

        if (known != NULL && strlen(known) == key.len && memcmp(known, key.bytes, key.len) == 0)
            return true;
    }
    return false;
}

static void on_return(struct amqp_publisher *publisher, const amqp_basic_return_t *returned,
                      amqp_bytes_t message_id)
{
    uint64_t tag = amqp_unsettled_return(&publisher->unsettled, message_id.bytes, message_id.len);

    if (tag >= publisher->asserted_tag && returned->reply_code == NO_ROUTE &&
        is_of_topology(publisher->link.topology, returned->routing_key))
        publisher->is_suspect = true;
}

void publishing_on_incoming(struct amqp_link *link, const struct amqp_incoming *incoming)
{
    struct amqp_publisher *publisher = publisher_of(link);
    const amqp_basic_ack_t *ack = incoming->method->decoded;
    const amqp_basic_nack_t *nack = incoming->method->decoded;

    if (incoming->method->id == AMQP_BASIC_ACK_METHOD)
        on_confirm(publisher, ack->delivery_tag, ack->multiple, AMQP_ACKED);
    else if (incoming->method->id == AMQP_BASIC_NACK_METHOD)
        on_nack(publisher, nack);
    else if (incoming->method->id == AMQP_BASIC_RETURN_METHOD)
        on_return(publisher, incoming->method->decoded, incoming->properties->message_id);
}

bool publishing_is_done(struct amqp_link *link)
{
    struct amqp_publisher *publisher = publisher_of(link);
    bool is_handed_over;

    pthread_mutex_lock(&link->mutex);
    is_handed_over = link->told_epoch != link->epoch || STAILQ_EMPTY(&publisher->list);
    pthread_mutex_unlock(&link->mutex);
    return is_handed_over && STAILQ_EMPTY(&publisher->taken) && publisher->unsettled.count == 0;
}

void publishing_lose_list(struct amqp_publish_list *list, struct amqp_settled_batch *batch)
{
    struct amqp_publish *first;

    while ((first = STAILQ_FIRST(list)) != NULL) {
        STAILQ_REMOVE_HEAD(list, entry);
        amqp_settled_add(batch, first->message.cookie, AMQP_LOST);
        free(first);
    }
}

void publishing_lose(struct amqp_link *link)
{
    struct amqp_publisher *publisher = publisher_of(link);
    struct inspection *inspection;

    amqp_unsettled_lose(&publisher->unsettled, &publisher->batch);
    publishing_lose_list(&publisher->taken, &publisher->batch);
    post_batch(publisher);
    while ((inspection = take_inspection(publisher)) != NULL) {
        publishing_post_inspected(link, inspection->queue, -1, -1);
        free(inspection);
    }
}
