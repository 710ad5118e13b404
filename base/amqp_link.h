/* base/amqp_link.h - the thread behind a publisher or a consumer
 *
 * Two threads share a link.  The owner's loop hands commands over and is told events; the link's
 * thread connects, asserts the topology, serves until the link is lost, pauses and begins again.
 * What they share is under `mutex`; an eventfd wakes the thread, a uv_async wakes the loop.
 *
 *     RESTING ──► CONNECTING ──► DECLARING ──► READY ◄──► BLOCKED
 *        ▲            │              │           │
 *        └────────────┴──────lost────┴───────────┘
 *
 * An epoch is one connection that became ready; `epoch` counts them.  A close is bounded: the
 * thread waits on nothing longer than a few seconds, and past its grace the owner shuts the socket
 * down.
 */
#pragma once

#include <pthread.h>
#include <sys/queue.h>
#include <uv.h>

#include "base/amqp.h"
#include "base/amqp_wire.h"

enum amqp_event_kind {
    AMQP_EVENT_READY,
    AMQP_EVENT_BLOCKED,
    AMQP_EVENT_LOST,
    AMQP_EVENT_SETTLED,
    AMQP_EVENT_INSPECTED,
    AMQP_EVENT_DELIVERED,
    AMQP_EVENT_CANCELLED,
    AMQP_EVENT_CLOSED, /* the thread's last word */
};

struct amqp_event {
    TAILQ_ENTRY(amqp_event) entry;
    enum amqp_event_kind kind;
    uint64_t epoch;               /* READY */
    char text[256];               /* BLOCKED: why; INSPECTED: which queue */
    struct fault fault;           /* LOST */
    int64_t messages, consumers;  /* INSPECTED */
    struct amqp_settled *settled; /* SETTLED; freed with the event, as is the delivery */
    size_t settled_count, settled_room;
    struct amqp_delivery *delivery;
};
TAILQ_HEAD(amqp_event_list, amqp_event);

/* What publisher and consumer do differently.  All but `tell` and `release` on the link's thread.
 */
struct amqp_link;
struct amqp_role {
    const char *name; /* of the thread */
    /* Connected and asserted: confirm.select, basic.consume. */
    bool (*enter)(struct amqp_link *link, struct fault *fault);
    /* After each turn: do what was asked for meanwhile.  False: the link is lost. */
    bool (*work)(struct amqp_link *link, struct fault *fault);
    void (*on_incoming)(struct amqp_link *link, const struct amqp_incoming *incoming);
    bool (*is_done)(struct amqp_link *link); /* closing: nothing is left to wait for */
    void (*lose)(struct amqp_link *link);    /* the wire is gone: settle what it carried */
    void (*tell)(struct amqp_link *link, const struct amqp_event *event);
    void (*release)(struct amqp_link *link); /* the thread is joined, all is told: free it */
};

struct amqp_link {
    const struct amqp_role *role;
    const struct amqp_topology *topology;
    uv_loop_t *loop;
    uv_async_t async;
    uv_timer_t deadline; /* of a close */
    int handles;         /* of the two, still open */
    pthread_t thread;
    bool is_closing_told; /* the owner has called close (owner's loop only) */

    pthread_mutex_t mutex; /* the events and the role's lists of commands */
    struct amqp_event_list events;
    uint64_t told_epoch; /* the epoch that the owner believes in; 0: it knows of none */
    int fd;              /* of the wire, so that the owner can shut it down; -1: none */

    int wake_fd;
    atomic_bool is_closing, is_given_up;
    _Atomic uint64_t close_until_ms; /* the thread's grace */

    /* The thread's own. */
    struct amqp_wire wire;
    struct amqp_connection_info address;
    char *uri; /* as parsed in place */
    struct fault uri_fault;
    uint64_t epoch;
    bool is_ready;
    uint64_t work_at_ms; /* the role wants to work then, even if nothing happens; 0: no wish */
    unsigned tries;      /* in vain, since the last READY */
    char told[400];      /* the last fault told, so that a try in vain is told once */
};

void amqp_link_start(struct amqp_link *link, const struct amqp_role *role, uv_loop_t *loop,
                     const char *uri, const struct amqp_topology *topology);
/* Owner's loop.  role->release follows. */
void amqp_link_close(struct amqp_link *link, uint64_t grace_ms);
void amqp_link_wake(struct amqp_link *link); /* after the first command in an empty list */

/* From any thread; the event is told and freed on the owner's loop. */
struct amqp_event *amqp_event_new(enum amqp_event_kind kind);
void amqp_link_post(struct amqp_link *link, struct amqp_event *event);
/* Joins a batch that has not been told yet. */
void amqp_link_post_settled(struct amqp_link *link, const struct amqp_settled *settled,
                            size_t count);

/* Exchange, queues and bindings, on the control channel.  A conflict is a fault that names the
 * queue and the command that mends it. */
bool amqp_topology_assert(struct amqp_wire *wire, const struct amqp_topology *topology,
                          const char *vhost, struct fault *fault)
    __attribute__((warn_unused_result));
/* One queue of it. */
bool amqp_topology_assert_queue(struct amqp_wire *wire, const struct amqp_queue *queue,
                                const char *vhost, struct fault *fault)
    __attribute__((warn_unused_result));
/* Whether every queue is there.  False: one is not (the fault names it), or the link is lost. */
bool amqp_topology_check(struct amqp_wire *wire, const struct amqp_topology *topology,
                         struct fault *fault) __attribute__((warn_unused_result));
