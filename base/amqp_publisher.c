#include "base/amqp_publishing.h"

#include <stdlib.h>

/* What was handed over and never taken is as lost as the rest. */
static void lose_handed_over(struct amqp_publisher *publisher)
{
    struct amqp_publish_list left = STAILQ_HEAD_INITIALIZER(left);
    struct amqp_settled_batch batch = {0};

    pthread_mutex_lock(&publisher->link.mutex);
    STAILQ_CONCAT(&left, &publisher->list);
    pthread_mutex_unlock(&publisher->link.mutex);
    publishing_lose_list(&left, &batch);
    if (batch.count > 0)
        publisher->events->on_settled(publisher->owner, batch.settled, batch.count);
    free(batch.settled);
}

static void tell_state(struct amqp_publisher *publisher, const struct amqp_event *event)
{
    const struct amqp_publisher_events *events = publisher->events;

    if (event->kind == AMQP_EVENT_LOST)
        lose_handed_over(publisher);
    if (publisher->link.is_closing_told)
        return;
    if (event->kind == AMQP_EVENT_READY)
        events->on_ready(publisher->owner);
    else if (event->kind == AMQP_EVENT_BLOCKED)
        events->on_blocked(publisher->owner, event->text);
    else
        events->on_lost(publisher->owner, &event->fault);
}

static void tell(struct amqp_link *link, const struct amqp_event *event)
{
    struct amqp_publisher *publisher = publisher_of(link);

    switch (event->kind) {
    case AMQP_EVENT_READY:
    case AMQP_EVENT_BLOCKED:
    case AMQP_EVENT_LOST:
        tell_state(publisher, event);
        return;
    case AMQP_EVENT_SETTLED:
        publisher->events->on_settled(publisher->owner, event->settled, event->settled_count);
        return;
    case AMQP_EVENT_INSPECTED:
        if (!link->is_closing_told)
            publisher->events->on_inspected(publisher->owner, event->text, event->messages,
                                            event->consumers);
        return;
    case AMQP_EVENT_CLOSED:
        lose_handed_over(publisher);
        return;
    case AMQP_EVENT_DELIVERED:
    case AMQP_EVENT_CANCELLED:
        return; /* a consumer's */
    }
}

static void release(struct amqp_link *link)
{
    struct amqp_publisher *publisher = publisher_of(link);
    void (*on_closed)(void *owner) = publisher->on_closed;
    void *owner = publisher->owner;

    amqp_unsettled_finish(&publisher->unsettled);
    free(publisher->batch.settled);
    free(publisher);
    on_closed(owner);
}

void amqp_publisher_send(struct amqp_publisher *publisher, const struct amqp_message *message)
{
    struct amqp_link *link = &publisher->link;
    struct amqp_settled lost = {message->cookie, AMQP_LOST};
    bool is_first;

    if (link->told_epoch == 0 || link->is_closing_told) {
        amqp_link_post_settled(link, &lost, 1);
        return;
    }
    struct amqp_publish *publish = amqp_publish_copy(message);
    pthread_mutex_lock(&link->mutex);
    is_first = STAILQ_EMPTY(&publisher->list);
    STAILQ_INSERT_TAIL(&publisher->list, publish, entry);
    pthread_mutex_unlock(&link->mutex);
    if (is_first)
        amqp_link_wake(link);
}

void amqp_publisher_inspect(struct amqp_publisher *publisher, const char *queue)
{
    struct amqp_link *link = &publisher->link;
    struct inspection *inspection;

    if (link->told_epoch == 0) {
        publishing_post_inspected(link, queue, -1, -1);
        return;
    }
    inspection = xcalloc(1, sizeof(*inspection));
    inspection->queue = queue;
    pthread_mutex_lock(&link->mutex);
    STAILQ_INSERT_TAIL(&publisher->inspections, inspection, entry);
    pthread_mutex_unlock(&link->mutex);
    amqp_link_wake(link);
}

struct amqp_publisher *amqp_publisher_create(uv_loop_t *loop, const char *uri,
                                             const struct amqp_topology *topology,
                                             const struct amqp_publisher_events *events,
                                             void *owner, const char *point)
{
    static const struct amqp_role role = {"amqp-publish",
                                          publishing_enter,
                                          publishing_work,
                                          publishing_on_incoming,
                                          publishing_is_done,
                                          publishing_lose,
                                          tell,
                                          release};
    struct amqp_publisher *publisher = xcalloc(1, sizeof(*publisher));

    publisher->events = events;
    publisher->owner = owner;
    publisher->point = point;
    STAILQ_INIT(&publisher->list);
    STAILQ_INIT(&publisher->inspections);
    STAILQ_INIT(&publisher->taken);
    amqp_unsettled_init(&publisher->unsettled);
    amqp_link_start(&publisher->link, &role, loop, uri, topology);
    return publisher;
}

void amqp_publisher_close(struct amqp_publisher *publisher, uint64_t grace_ms,
                          void (*on_closed)(void *owner))
{
    publisher->on_closed = on_closed;
    amqp_link_close(&publisher->link, grace_ms);
}
