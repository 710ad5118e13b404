#include "base/amqp_look.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/amqp_link.h"
#include "base/clock.h"
#include "base/memory.h"

struct look {
    struct amqp_wire wire;
    const char *vhost;
    void (*on_sight)(void *owner, const struct amqp_sight *sight);
    void *owner;
};

static void on_incoming(void *owner, const struct amqp_incoming *incoming)
{
    (void)owner;
    (void)incoming;
}

static void on_blocked(void *owner, const char *reason)
{
    (void)owner;
    (void)reason;
}

static const struct amqp_wire_events events = {on_incoming, on_blocked};

static bool look_at_exchange(struct look *look, const char *name, struct fault *fault)
{
    amqp_exchange_declare_t declare = {.exchange = amqp_cstring_bytes(name), .passive = 1};
    struct amqp_wire *wire = &look->wire;
    struct amqp_sight sight = {.kind = AMQP_SEEN, .text = ""};

    if (!amqp_wire_open_channel(wire, AMQP_CHANNEL_CONTROL, fault))
        return false;
    if (!amqp_wire_call(wire, AMQP_CHANNEL_CONTROL, AMQP_EXCHANGE_DECLARE_METHOD, &declare,
                        fault)) {
        if (wire->answer.state != AMQP_REFUSED)
            return false;
        sight.kind = AMQP_UNSEEN;
        sight.text = wire->answer.text;
    }
    look->on_sight(look->owner, &sight);
    return true;
}

/* Is it there?  False: the link is lost. */
static bool find(struct amqp_wire *wire, const char *name, struct amqp_sight *sight,
                 struct fault *fault)
{
    amqp_queue_declare_t declare = {.queue = amqp_cstring_bytes(name), .passive = 1};
    uint64_t begun_ms = clock_monotonic_ms();
    bool is_there;

    if (!amqp_wire_open_channel(wire, AMQP_CHANNEL_CONTROL, fault))
        return false;
    is_there =
        amqp_wire_call(wire, AMQP_CHANNEL_CONTROL, AMQP_QUEUE_DECLARE_METHOD, &declare, fault);
    sight->took_ms = clock_monotonic_ms() - begun_ms;
    if (is_there) {
        sight->messages = wire->answer.messages;
        sight->consumers = wire->answer.consumers;
        return true;
    }
    sight->kind = AMQP_UNSEEN;
    sight->text = wire->answer.text;
    return wire->answer.state == AMQP_REFUSED;
}

static bool look_at_queue(struct look *look, const struct amqp_queue *queue, struct fault *fault)
{
    struct amqp_sight sight = {.queue = queue->name, .kind = AMQP_SEEN, .text = ""};
    struct amqp_wire *wire = &look->wire;

    if (!find(wire, queue->name, &sight, fault))
        return false;
    if (sight.kind == AMQP_SEEN && !amqp_topology_assert_queue(wire, queue, look->vhost, fault)) {
        if (wire->answer.state != AMQP_REFUSED)
            return false;
        sight.kind = AMQP_CONFLICT;
        sight.text = wire->answer.text;
    }
    look->on_sight(look->owner, &sight);
    return true;
}

static bool look_at_all(struct look *look, const struct amqp_topology *topology,
                        struct fault *fault)
{
    if (!look_at_exchange(look, topology->exchange, fault))
        return false;
    for (size_t i = 0; i < topology->queue_count; i++) {
        if (!look_at_queue(look, &topology->queues[i], fault))
            return false;
    }
    return true;
}

bool amqp_look(const char *uri, const struct amqp_topology *topology,
               void (*on_sight)(void *owner, const struct amqp_sight *sight), void *owner,
               struct fault *fault)
{
    static const atomic_bool is_given_up = false;
    struct amqp_connection_info address;
    char *copy = xstrdup(uri);
    int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), fd = -1;
    struct look look = {
        .wire = {.events = &events, .wake_fd = wake_fd, .is_given_up = &is_given_up},
        .on_sight = on_sight,
        .owner = owner,
    };
    bool is_well = false;

    if (amqp_address_parse(&address, copy, fault) && amqp_dial(&address, &look.wire, &fd, fault)) {
        look.vhost = address.vhost;
        is_well =
            amqp_wire_open(&look.wire, fd, &address, fault) && look_at_all(&look, topology, fault);
        if (is_well)
            amqp_wire_goodbye(&look.wire);
        amqp_wire_finish(&look.wire);
        close(fd);
    }
    close(wake_fd);
    free(copy);
    return is_well;
}
