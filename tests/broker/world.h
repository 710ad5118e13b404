/* tests/broker/world.h - what a case about a RabbitMQ link needs: a place of its own in the broker
 * at DOCKET_TEST_AMQP, links, and the books of their owner
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <amqp.h>
#include <uv.h>

#include "base/amqp.h"
#include "base/clock.h"
#include "base/memory.h"
#include "tests/broker/bump.h"

#include <cmocka.h> /* last: its fail() would hide ours */

enum { MESSAGES_MAX = 32768, PREFETCH = 300 };

/* One world a case: an exchange, a work queue with its dead-letter queue, links, a hand in the
 * broker to do mischief with, and the books. */
struct world {
    uv_loop_t loop;
    uv_timer_t alarm;
    bool is_late;
    amqp_connection_state_t hand;
    struct bump *bump;
    char uri[300], bumpy_uri[300], exchange[64], work[64], dead[64];
    struct amqp_queue queues[2];
    struct amqp_topology topology;

    struct amqp_publisher *publisher;
    int published, settled, verdicts[4], ready, losses, closed, inspected;
    bool is_up;
    int wrong; /* settled twice, or unsettled at on_lost */
    unsigned char state[MESSAGES_MAX];
    struct fault fault;
    int64_t messages, consumers;

    struct amqp_consumer *consumer;
    bool is_acking;
    int consumer_ready, deliveries, redeliveries, cancelled, consumer_losses, consumer_closed;
    struct amqp_delivery last;
    char last_body[256];
    struct {
        uint64_t link, tag;
    } held[MESSAGES_MAX];
};

/* The hand's last call. */
void must_work(struct world *world);
void delete_queue(struct world *world, const char *name);
/* Ready messages. */
int depth(struct world *world, const char *name);
/* Turns the loop until *value is at least `least`. */
void must_reach(struct world *world, const int *value, int least, const char *what);
#define MUST_REACH(world, member, least) must_reach(world, &(world)->member, least, #member)
void begin_publishing(struct world *world, const char *uri);
void begin_consuming(struct world *world, const char *uri, const char *queue);
void send_as(struct world *world, const char *routing_key);
void send_many(struct world *world, int count);
/* All acked. */
void must_publish(struct world *world, int count);
/* What a closed link had not acked comes back by itself, but before what is published now. */
void must_be_left(struct world *world, int messages);
void close_publisher(struct world *world, uint64_t grace_ms);
void close_consumer(struct world *world);
/* Each message settled once. */
void must_be_balanced(const struct world *world);

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int set_up(void **state);
int tear_down(void **state);
