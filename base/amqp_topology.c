#include <stdio.h>
#include <string.h>

#include "base/amqp_link.h"

enum { PRECONDITION_FAILED = 406, ARGUMENTS_MAX = 8 };

struct arguments {
    amqp_table_entry_t entries[ARGUMENTS_MAX];
    int count;
};

static amqp_table_entry_t *add(struct arguments *arguments, const char *name)
{
    amqp_table_entry_t *entry = &arguments->entries[arguments->count++];

    entry->key = amqp_cstring_bytes(name);
    return entry;
}

static void add_text(struct arguments *arguments, const char *name, const char *value)
{
    amqp_table_entry_t *entry = add(arguments, name);

    entry->value.kind = AMQP_FIELD_KIND_UTF8;
    entry->value.value.bytes = amqp_cstring_bytes(value);
}

static void add_number(struct arguments *arguments, const char *name, int value)
{
    amqp_table_entry_t *entry = add(arguments, name);

    entry->value.kind = AMQP_FIELD_KIND_I32;
    entry->value.value.i32 = value;
}

/* At-least-once dead-lettering silently becomes at-most-once without reject-publish (traps.md
 * §2.4), so a queue gets both or none. */
static void describe(struct arguments *arguments, const struct amqp_queue *queue)
{
    add_text(arguments, "x-queue-type", "quorum");
    if (queue->delivery_limit > 0)
        add_number(arguments, "x-delivery-limit", queue->delivery_limit);
    if (queue->dead_letter_exchange == NULL)
        return;
    add_text(arguments, "x-overflow", "reject-publish");
    add_text(arguments, "x-dead-letter-strategy", "at-least-once");
    add_text(arguments, "x-dead-letter-exchange", queue->dead_letter_exchange);
    if (queue->dead_letter_key != NULL)
        add_text(arguments, "x-dead-letter-routing-key", queue->dead_letter_key);
}

static bool is_conflict(const struct amqp_wire *wire)
{
    return wire->answer.state == AMQP_REFUSED && wire->answer.code == PRECONDITION_FAILED;
}

static bool assert_exchange(struct amqp_wire *wire, const char *name, struct fault *fault)
{
    amqp_exchange_declare_t declare = {
        .exchange = amqp_cstring_bytes(name), .type = amqp_cstring_bytes("direct"), .durable = 1};

    if (amqp_wire_call(wire, AMQP_CHANNEL_CONTROL, AMQP_EXCHANGE_DECLARE_METHOD, &declare, fault))
        return true;
    if (!is_conflict(wire))
        return false;
    return fail_as(fault, FAULT_BROKEN, "exchange_conflict",
                   "exchange %s exists, but not as a durable direct exchange; delete it: "
                   "rabbitmqadmin delete exchange name=%s (%s)",
                   name, name, wire->answer.text);
}

bool amqp_topology_assert_queue(struct amqp_wire *wire, const struct amqp_queue *queue,
                                const char *vhost, struct fault *fault)
{
    struct arguments arguments = {.count = 0};
    amqp_queue_declare_t declare = {.queue = amqp_cstring_bytes(queue->name), .durable = 1};

    describe(&arguments, queue);
    declare.arguments.num_entries = arguments.count;
    declare.arguments.entries = arguments.entries;
    if (amqp_wire_call(wire, AMQP_CHANNEL_CONTROL, AMQP_QUEUE_DECLARE_METHOD, &declare, fault))
        return true;
    if (!is_conflict(wire))
        return false;
    return fail_as(fault, FAULT_BROKEN, "queue_conflict",
                   "queue %s exists with other arguments; delete it, it is made again: "
                   "rabbitmqctl delete_queue %s -p %s (%s)",
                   queue->name, queue->name, vhost, wire->answer.text);
}

static bool assert_binding(struct amqp_wire *wire, const char *exchange,
                           const struct amqp_queue *queue, struct fault *fault)
{
    amqp_queue_bind_t bind = {.queue = amqp_cstring_bytes(queue->name),
                              .exchange = amqp_cstring_bytes(exchange)};

    if (queue->routing_key == NULL)
        return true;
    bind.routing_key = amqp_cstring_bytes(queue->routing_key);
    return amqp_wire_call(wire, AMQP_CHANNEL_CONTROL, AMQP_QUEUE_BIND_METHOD, &bind, fault);
}

bool amqp_topology_assert(struct amqp_wire *wire, const struct amqp_topology *topology,
                          const char *vhost, struct fault *fault)
{
    if (!amqp_wire_open_channel(wire, AMQP_CHANNEL_CONTROL, fault) ||
        !assert_exchange(wire, topology->exchange, fault))
        return false;
    for (size_t i = 0; i < topology->queue_count; i++) {
        const struct amqp_queue *queue = &topology->queues[i];

        if (!amqp_topology_assert_queue(wire, queue, vhost, fault) ||
            !assert_binding(wire, topology->exchange, queue, fault))
            return false;
    }
    return true;
}

bool amqp_topology_check(struct amqp_wire *wire, const struct amqp_topology *topology,
                         struct fault *fault)
{
    for (size_t i = 0; i < topology->queue_count; i++) {
        amqp_queue_declare_t declare = {.queue = amqp_cstring_bytes(topology->queues[i].name),
                                        .passive = 1};

        if (!amqp_wire_open_channel(wire, AMQP_CHANNEL_CONTROL, fault))
            return false;
        if (amqp_wire_call(wire, AMQP_CHANNEL_CONTROL, AMQP_QUEUE_DECLARE_METHOD, &declare, fault))
            continue;
        if (wire->answer.state != AMQP_REFUSED)
            return false;
        return fail_as(fault, FAULT_TRANSIENT, "queue_missing", "queue %s is not to be had: %s",
                       topology->queues[i].name, wire->answer.text);
    }
    return true;
}
