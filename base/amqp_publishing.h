/* base/amqp_publishing.h - what a publisher's two sides share: amqp_publishing.c on the link's
 * thread, which publishes and hears of it, and amqp_publisher.c on the owner's loop
 *
 *     list ─► taken ─► wire, unsettled ─► batch ─► on_settled
 *
 * A message is in exactly one of them. */
#pragma once

#include "base/amqp_link.h"
#include "base/amqp_publish.h"
#include "base/amqp_unsettled.h"
#include "base/memory.h"

struct inspection {
    STAILQ_ENTRY(inspection) entry;
    const char *queue;
};
STAILQ_HEAD(inspection_list, inspection);

struct amqp_publisher {
    struct amqp_link link;
    const struct amqp_publisher_events *events;
    void *owner;
    const char *point;
    void (*on_closed)(void *owner);

    /* Under link.mutex: handed over. */
    struct amqp_publish_list list;
    struct inspection_list inspections;

    /* The thread's. */
    struct amqp_publish_list taken;
    struct amqp_unsettled unsettled;
    struct amqp_settled_batch batch;
    bool is_suspect;       /* a queue of ours took nothing: assert the topology before publishing */
    uint64_t mend_at_ms;   /* not before */
    uint64_t asserted_tag; /* what was published before proves nothing about the topology now */
    uint64_t oldest_tag, oldest_since_ms, probe_at_ms; /* how long the confirms have stood still */
    uint64_t nacked_since_ms, nacked_ms;               /* the first of this channel, and the last */
};

static inline struct amqp_publisher *publisher_of(struct amqp_link *link)
{
    return container_of(link, struct amqp_publisher, link);
}

/* The role of a link (amqp_link.h). */
bool publishing_enter(struct amqp_link *link, struct fault *fault);
bool publishing_work(struct amqp_link *link, struct fault *fault);
void publishing_on_incoming(struct amqp_link *link, const struct amqp_incoming *incoming);
bool publishing_is_done(struct amqp_link *link);
void publishing_lose(struct amqp_link *link);

/* On either side. */
void publishing_lose_list(struct amqp_publish_list *list, struct amqp_settled_batch *batch);
void publishing_post_inspected(struct amqp_link *link, const char *queue, int64_t messages,
                               int64_t consumers);
