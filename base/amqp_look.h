/* base/amqp_look.h - one look at a broker: is it there, and is the topology as a link would make
 * it?
 *
 * Makes and changes nothing: a queue that is there is declared again with our arguments, which the
 * broker compares; one that is not is not made.  Blocks, for some seconds a queue at most.
 */
#pragma once

#include "base/amqp.h"

enum amqp_sight_kind {
    AMQP_SEEN,     /* there, with our arguments */
    AMQP_UNSEEN,   /* not there, or not to be had (a queue without a leader); text says why */
    AMQP_CONFLICT, /* there with other arguments; text says in what */
};

struct amqp_sight {
    const char *queue; /* NULL: the exchange */
    enum amqp_sight_kind kind;
    const char *text;
    int64_t messages, consumers; /* of a queue */
    uint64_t took_ms;            /* a queue that has a leader answers at once */
};

/* False: the broker is not there, or refuses us; or it went away, or fell silent, meanwhile. */
bool amqp_look(const char *uri, const struct amqp_topology *topology,
               void (*on_sight)(void *owner, const struct amqp_sight *sight), void *owner,
               struct fault *fault) __attribute__((warn_unused_result));
