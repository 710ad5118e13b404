/* What base/amqp.h promises, against the RabbitMQ at DOCKET_TEST_AMQP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <uv.h>

#include "base/amqp.h"
#include "base/clock.h"
#include "base/memory.h"
#include "tests/broker/bump.h"

#include <cmocka.h> /* last: its fail() would hide ours */

enum { WAIT_MS = 30000, FRAME_BYTES = 131072, MESSAGES_MAX = 32768, PREFETCH = 300 };

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

/* --- the hand ----------------------------------------------------------------------------------
 */

static void open_hand(struct world *world, const struct amqp_connection_info *address)
{
    amqp_socket_t *socket;

    world->hand = amqp_new_connection();
    socket = amqp_tcp_socket_new(world->hand);
    assert_int_equal(amqp_socket_open(socket, address->host, address->port), AMQP_STATUS_OK);
    assert_int_equal(amqp_login(world->hand, address->vhost, 0, FRAME_BYTES, 0,
                                AMQP_SASL_METHOD_PLAIN, address->user, address->password)
                         .reply_type,
                     AMQP_RESPONSE_NORMAL);
    amqp_channel_open(world->hand, 1);
}

static void must_work(struct world *world)
{
    assert_int_equal(amqp_get_rpc_reply(world->hand).reply_type, AMQP_RESPONSE_NORMAL);
}

static void delete_queue(struct world *world, const char *name)
{
    amqp_queue_delete(world->hand, 1, amqp_cstring_bytes(name), 0, 0);
    must_work(world);
}

static int depth(struct world *world, const char *name)
{
    amqp_queue_declare_ok_t *declared =
        amqp_queue_declare(world->hand, 1, amqp_cstring_bytes(name), 1, 0, 0, 0, amqp_empty_table);

    must_work(world);
    return (int)declared->message_count;
}

/* --- the owner ---------------------------------------------------------------------------------
 */

static void on_ready(void *owner)
{
    struct world *world = owner;

    world->ready++;
    world->is_up = true;
}

static void on_blocked(void *owner, const char *reason)
{
    (void)reason;
    ((struct world *)owner)->is_up = false;
}

static void on_lost(void *owner, const struct fault *fault)
{
    struct world *world = owner;

    world->losses++;
    world->is_up = false;
    world->fault = *fault;
    world->wrong += world->settled != world->published;
}

static void on_settled(void *owner, const struct amqp_settled *settled, size_t count)
{
    struct world *world = owner;

    for (size_t i = 0; i < count; i++) {
        world->wrong += world->state[settled[i].cookie]++ != 0;
        world->verdicts[settled[i].verdict]++;
        world->settled++;
    }
}

static void on_inspected(void *owner, const char *queue, int64_t messages, int64_t consumers)
{
    struct world *world = owner;

    (void)queue;
    world->inspected++;
    world->messages = messages;
    world->consumers = consumers;
}

static void on_closed(void *owner)
{
    ((struct world *)owner)->closed++;
}

static void on_consumer_ready(void *owner)
{
    ((struct world *)owner)->consumer_ready++;
}

static void on_delivery(void *owner, const struct amqp_delivery *delivery)
{
    struct world *world = owner;

    world->last = *delivery;
    snprintf(world->last_body, sizeof(world->last_body), "%.*s", (int)delivery->body_length,
             (const char *)delivery->body);
    world->held[world->deliveries].link = delivery->link;
    world->held[world->deliveries++].tag = delivery->tag;
    world->redeliveries += delivery->redelivered;
    if (world->is_acking)
        amqp_consumer_ack(world->consumer, delivery->link, delivery->tag);
}

static void on_consumer_lost(void *owner, const struct fault *fault)
{
    (void)fault;
    ((struct world *)owner)->consumer_losses++;
}

static void on_cancelled(void *owner)
{
    ((struct world *)owner)->cancelled++;
}

static void on_consumer_closed(void *owner)
{
    ((struct world *)owner)->consumer_closed++;
}

/* --- steps -------------------------------------------------------------------------------------
 */

static void on_alarm(uv_timer_t *timer)
{
    ((struct world *)timer->data)->is_late = true;
}

/* Turns the loop until *value is at least `least`. */
static void must_reach(struct world *world, const int *value, int least, const char *what)
{
    world->is_late = false;
    uv_update_time(&world->loop);
    uv_timer_start(&world->alarm, on_alarm, WAIT_MS, 0);
    while (*value < least && !world->is_late)
        uv_run(&world->loop, UV_RUN_ONCE);
    uv_timer_stop(&world->alarm);
    if (*value < least)
        fail_msg("%s: %d after %d ms, not %d", what, *value, WAIT_MS, least);
}
#define MUST_REACH(world, member, least) must_reach(world, &(world)->member, least, #member)

static void begin_publishing(struct world *world, const char *uri)
{
    static const struct amqp_publisher_events events = {on_ready, on_blocked, on_lost, on_settled,
                                                        on_inspected};

    world->publisher =
        amqp_publisher_create(&world->loop, uri, &world->topology, &events, world, "relay");
}

static void begin_consuming(struct world *world, const char *uri, const char *queue)
{
    static const struct amqp_consumer_events events = {on_consumer_ready, on_delivery,
                                                       on_consumer_lost, on_cancelled};

    world->consumer = amqp_consumer_create(&world->loop, uri, &world->topology, queue, PREFETCH,
                                           &events, world, "worker");
}

static void send_as(struct world *world, const char *routing_key)
{
    const struct amqp_header headers[] = {{"traceparent", "00-aa-bb-01"}, {"color", "blue"}};
    char id[32], body[32];
    struct amqp_message message = {.cookie = (uint64_t)world->published,
                                   .routing_key = routing_key,
                                   .message_id = id,
                                   .type = "test.happened",
                                   .content_type = "text/plain",
                                   .headers = headers,
                                   .header_count = 2,
                                   .body = body};

    snprintf(id, sizeof(id), "%d.0", world->published);
    message.body_length = (size_t)snprintf(body, sizeof(body), "body %d", world->published++);
    amqp_publisher_send(world->publisher, &message);
}

static void send_many(struct world *world, int count)
{
    for (int i = 0; i < count; i++)
        send_as(world, "work");
}

static void must_publish(struct world *world, int count)
{
    send_many(world, count);
    MUST_REACH(world, settled, world->published);
    assert_int_equal(world->verdicts[AMQP_ACKED], world->published);
}

/* What a closed link had not acked comes back by itself, but before what is published now. */
static void must_be_left(struct world *world, int messages)
{
    int acked = world->verdicts[AMQP_ACKED];

    send_many(world, 1);
    MUST_REACH(world, verdicts[AMQP_ACKED], acked + 1);
    assert_int_equal(depth(world, world->work), messages + 1);
}

static void close_publisher(struct world *world, uint64_t grace_ms)
{
    amqp_publisher_close(world->publisher, grace_ms, on_closed);
    MUST_REACH(world, closed, 1);
    world->publisher = NULL;
}

static void close_consumer(struct world *world)
{
    amqp_consumer_close(world->consumer, on_consumer_closed);
    MUST_REACH(world, consumer_closed, 1);
    world->consumer = NULL;
}

static void must_be_balanced(const struct world *world)
{
    assert_int_equal(world->settled, world->published);
    assert_int_equal(world->wrong, 0);
}

/* --- cases: publishing -------------------------------------------------------------------------
 */

static void thousands_in_flight_are_each_acked_once(void **state)
{
    enum { MESSAGES = 20000, WINDOW = 4000 };
    struct world *world = *state;

    begin_publishing(world, world->uri);
    MUST_REACH(world, ready, 1);
    for (int sent = 0; sent < MESSAGES; sent += WINDOW / 2) {
        send_many(world, WINDOW / 2);
        MUST_REACH(world, settled, sent - WINDOW / 2);
    }
    MUST_REACH(world, settled, MESSAGES);
    assert_int_equal(world->verdicts[AMQP_ACKED], MESSAGES);
    must_be_balanced(world);
    assert_int_equal(depth(world, world->work), MESSAGES);
}

static void a_deleted_queue_returns_and_is_put_back(void **state)
{
    struct world *world = *state;

    begin_publishing(world, world->uri);
    MUST_REACH(world, ready, 1);
    must_publish(world, 10);
    delete_queue(world, world->work);
    send_many(world, 1);
    MUST_REACH(world, settled, 11);
    assert_int_equal(world->verdicts[AMQP_RETURNED], 1);
    send_many(world, 5);
    MUST_REACH(world, settled, 16);
    assert_int_equal(world->verdicts[AMQP_ACKED], 15);
    assert_int_equal(world->losses, 0);
    assert_int_equal(depth(world, world->work), 5);
    must_be_balanced(world);
}

static void a_lost_binding_returns_and_is_put_back(void **state)
{
    struct world *world = *state;

    begin_publishing(world, world->uri);
    MUST_REACH(world, ready, 1);
    amqp_queue_unbind(world->hand, 1, amqp_cstring_bytes(world->work),
                      amqp_cstring_bytes(world->exchange), amqp_cstring_bytes("work"),
                      amqp_empty_table);
    must_work(world);
    send_many(world, 1);
    MUST_REACH(world, settled, 1);
    assert_int_equal(world->verdicts[AMQP_RETURNED], 1);
    send_many(world, 3);
    MUST_REACH(world, settled, 4);
    assert_int_equal(world->verdicts[AMQP_ACKED], 3);
}

static void what_nobody_takes_is_returned_though_acked(void **state)
{
    struct world *world = *state;

    begin_publishing(world, world->uri);
    MUST_REACH(world, ready, 1);
    for (int i = 0; i < 300; i++)
        send_as(world, i % 3 == 0 ? "nobody" : "work");
    MUST_REACH(world, settled, 300);
    assert_int_equal(world->verdicts[AMQP_RETURNED], 100);
    assert_int_equal(world->verdicts[AMQP_ACKED], 200);
    must_be_balanced(world);
}

static void a_full_queue_nacks(void **state)
{
    struct world *world = *state;
    amqp_table_entry_t entries[] = {
        {amqp_cstring_bytes("x-max-length"), {AMQP_FIELD_KIND_I32, {.i32 = 1}}},
        {amqp_cstring_bytes("x-overflow"),
         {AMQP_FIELD_KIND_UTF8, {.bytes = amqp_cstring_bytes("reject-publish")}}}};
    const amqp_table_t arguments = {2, entries};
    char full[80];

    snprintf(full, sizeof(full), "%s.full", world->work);
    begin_publishing(world, world->uri);
    MUST_REACH(world, ready, 1);
    amqp_queue_declare(world->hand, 1, amqp_cstring_bytes(full), 0, 0, 0, 1, arguments);
    must_work(world);
    amqp_queue_bind(world->hand, 1, amqp_cstring_bytes(full), amqp_cstring_bytes(world->exchange),
                    amqp_cstring_bytes("full"), amqp_empty_table);
    must_work(world);
    for (int i = 0; i < 50; i++)
        send_as(world, "full");
    MUST_REACH(world, settled, 50);
    assert_int_equal(world->verdicts[AMQP_ACKED], 1);
    assert_int_equal(world->verdicts[AMQP_NACKED], 49);
    delete_queue(world, full);
}

static void a_conflicting_queue_is_named_with_its_cure(void **state)
{
    struct world *world = *state;
    char cure[160];

    amqp_queue_declare(world->hand, 1, amqp_cstring_bytes(world->work), 0, 1, 0, 0,
                       amqp_empty_table);
    must_work(world);
    begin_publishing(world, world->uri);
    MUST_REACH(world, losses, 1);
    assert_int_equal(world->fault.kind, FAULT_BROKEN);
    assert_string_equal(world->fault.code, "queue_conflict");
    snprintf(cure, sizeof(cure), "rabbitmqctl delete_queue %s -p /", world->work);
    if (strstr(world->fault.text, cure) == NULL)
        fail_msg("no `%s` in: %s", cure, world->fault.text);
    delete_queue(world, world->work);
    MUST_REACH(world, ready, 1); /* it has kept trying */
    must_publish(world, 1);
    assert_int_equal(world->losses, 1); /* told once, not at each try */
}

static void a_wrong_password_is_told_without_it(void **state)
{
    struct world *world = *state;
    struct amqp_connection_info address;
    char copy[300], uri[300];

    snprintf(copy, sizeof(copy), "%s", world->uri);
    assert_int_equal(amqp_parse_url(copy, &address), AMQP_STATUS_OK);
    snprintf(uri, sizeof(uri), "amqp://%s:hunter2@%s:%d", address.user, address.host, address.port);
    begin_publishing(world, uri);
    MUST_REACH(world, losses, 1);
    assert_int_equal(world->fault.kind, FAULT_BROKEN);
    assert_null(strstr(world->fault.text, "hunter2"));
    close_publisher(world, 10000);
}

static void a_cut_link_loses_each_once_before_it_says_so(void **state)
{
    struct world *world = *state;

    begin_publishing(world, world->bumpy_uri);
    MUST_REACH(world, ready, 1);
    must_publish(world, 100);
    bump_set(world->bump, BUMP_FROZEN);
    send_many(world, 4000);
    bump_set(world->bump, BUMP_CUT);
    MUST_REACH(world, losses, 1);
    must_be_balanced(world);
    assert_int_equal(world->verdicts[AMQP_LOST], 4000);
    send_many(world, 1); /* nobody is there */
    MUST_REACH(world, settled, 4101);
    assert_int_equal(world->verdicts[AMQP_LOST], 4001);
    bump_set(world->bump, BUMP_FLOWING);
    MUST_REACH(world, ready, 2);
    send_many(world, 10);
    MUST_REACH(world, settled, 4111);
    assert_int_equal(world->verdicts[AMQP_ACKED], 110);
    must_be_balanced(world);
}

static void a_frozen_broker_is_noticed_by_its_silence(void **state)
{
    struct world *world = *state;

    begin_publishing(world, world->bumpy_uri);
    MUST_REACH(world, ready, 1);
    bump_set(world->bump, BUMP_FROZEN);
    send_many(world, MESSAGES_MAX / 2); /* far more than the kernel's buffers take */
    MUST_REACH(world, losses, 1);
    must_be_balanced(world);
    assert_int_equal(world->verdicts[AMQP_LOST], MESSAGES_MAX / 2);
    bump_set(world->bump, BUMP_FLOWING);
    MUST_REACH(world, ready, 2);
}

static void a_frozen_broker_does_not_delay_a_close(void **state)
{
    struct world *world = *state;
    uint64_t began;

    begin_publishing(world, world->bumpy_uri);
    MUST_REACH(world, ready, 1);
    bump_set(world->bump, BUMP_FROZEN);
    send_many(world, MESSAGES_MAX / 2);
    began = clock_monotonic_ms();
    close_publisher(world, 500);
    assert_in_range(clock_monotonic_ms() - began, 400, 4000);
    must_be_balanced(world);
    assert_int_equal(world->verdicts[AMQP_LOST], MESSAGES_MAX / 2);
}

static void a_close_waits_for_outstanding_confirms(void **state)
{
    struct world *world = *state;

    begin_publishing(world, world->uri);
    MUST_REACH(world, ready, 1);
    send_many(world, 5000);
    close_publisher(world, 20000);
    must_be_balanced(world);
    assert_int_equal(world->verdicts[AMQP_ACKED], 5000);
}

static void a_link_that_never_came_up_closes_at_once(void **state)
{
    struct world *world = *state;
    uint64_t began;

    bump_set(world->bump, BUMP_FROZEN); /* the dial succeeds, the login hangs */
    begin_publishing(world, world->bumpy_uri);
    for (int i = 0; i < 20; i++)
        uv_run(&world->loop, UV_RUN_NOWAIT);
    began = clock_monotonic_ms();
    close_publisher(world, 10000);
    assert_in_range(clock_monotonic_ms() - began, 0, 1000);
}

static void an_inspection_counts_and_survives_a_missing_queue(void **state)
{
    struct world *world = *state;

    begin_publishing(world, world->uri);
    amqp_publisher_inspect(world->publisher, world->work); /* not ready yet */
    MUST_REACH(world, inspected, 1);
    assert_int_equal(world->messages, -1);
    MUST_REACH(world, ready, 1);
    must_publish(world, 7);
    amqp_publisher_inspect(world->publisher, world->work);
    MUST_REACH(world, inspected, 2);
    assert_int_equal(world->messages, 7);
    assert_int_equal(world->consumers, 0);
    amqp_publisher_inspect(world->publisher, "no.such.queue");
    MUST_REACH(world, inspected, 3);
    assert_int_equal(world->messages, -1);
    must_publish(world, 1);
    amqp_publisher_inspect(world->publisher, world->work);
    MUST_REACH(world, inspected, 4);
    assert_int_equal(world->messages, 8);
    assert_int_equal(world->losses, 0);
}

/* --- cases: consuming --------------------------------------------------------------------------
 */

static void what_was_published_arrives_whole(void **state)
{
    struct world *world = *state;

    begin_publishing(world, world->uri);
    begin_consuming(world, world->uri, world->work);
    MUST_REACH(world, ready, 1);
    must_publish(world, 1);
    MUST_REACH(world, deliveries, 1);
    assert_string_equal(world->last.message_id, "0.0");
    assert_string_equal(world->last.type, "test.happened");
    assert_string_equal(world->last.routing_key, "work");
    assert_string_equal(world->last.trace, "00-aa-bb-01");
    assert_int_equal(world->last.header_count, 1);
    assert_string_equal(world->last.headers[0].name, "color");
    assert_string_equal(world->last.headers[0].value, "blue");
    assert_string_equal(world->last_body, "body 0");
    assert_false(world->last.redelivered);
}

/* Every third stays open until all others are acked, one by one. */
static void ack_in_disorder(struct world *world)
{
    for (int i = 0; i < world->deliveries; i++) {
        if (i % 3 != 0)
            amqp_consumer_ack(world->consumer, world->held[i].link, world->held[i].tag);
    }
    for (int i = world->deliveries - 1; i >= 0; i--) {
        if (i % 3 == 0)
            amqp_consumer_ack(world->consumer, world->held[i].link, world->held[i].tag);
    }
}

static void acks_in_any_order_survive_a_close(void **state)
{
    struct world *world = *state;

    begin_publishing(world, world->uri);
    begin_consuming(world, world->uri, world->work);
    MUST_REACH(world, ready, 1);
    must_publish(world, PREFETCH);
    MUST_REACH(world, deliveries, PREFETCH);
    ack_in_disorder(world);
    close_consumer(world);
    must_be_left(world, 0);
}

static void no_more_than_the_prefetch_is_in_flight(void **state)
{
    struct world *world = *state;

    begin_publishing(world, world->uri);
    begin_consuming(world, world->uri, world->work);
    MUST_REACH(world, ready, 1);
    must_publish(world, 2 * PREFETCH);
    MUST_REACH(world, deliveries, PREFETCH);
    amqp_publisher_inspect(world->publisher, world->work); /* a round trip on the other link */
    MUST_REACH(world, inspected, 1);
    assert_int_equal(world->messages, PREFETCH);
    assert_int_equal(world->deliveries, PREFETCH);
    amqp_consumer_ack(world->consumer, world->held[0].link, world->held[0].tag);
    MUST_REACH(world, deliveries, PREFETCH + 1);
}

static void a_stop_leaves_what_is_in_flight_to_be_acked(void **state)
{
    struct world *world = *state;

    begin_publishing(world, world->uri);
    begin_consuming(world, world->uri, world->work);
    MUST_REACH(world, ready, 1);
    must_publish(world, 20);
    MUST_REACH(world, deliveries, 20);
    amqp_consumer_stop(world->consumer);
    MUST_REACH(world, cancelled, 1);
    must_publish(world, 5);
    ack_in_disorder(world);
    close_consumer(world);
    assert_int_equal(world->deliveries, 20);
    must_be_left(world, 5);
}

static void a_rejected_delivery_becomes_a_dead_letter(void **state)
{
    struct world *world = *state;

    begin_publishing(world, world->uri);
    begin_consuming(world, world->uri, world->work);
    MUST_REACH(world, ready, 1);
    must_publish(world, 1);
    MUST_REACH(world, deliveries, 1);
    amqp_consumer_reject(world->consumer, world->last.link, world->last.tag);
    close_consumer(world);
    world->consumer_closed = 0;
    begin_consuming(world, world->uri, world->dead);
    MUST_REACH(world, deliveries, 2);
    assert_string_equal(world->last_body, "body 0");
    assert_string_equal(world->last.message_id, "0.0");
    amqp_consumer_ack(world->consumer, world->last.link, world->last.tag);
    close_consumer(world);
    assert_int_equal(depth(world, world->dead), 0);
}

static void a_deleted_queue_is_consumed_again(void **state)
{
    struct world *world = *state;

    world->is_acking = true;
    begin_publishing(world, world->uri);
    begin_consuming(world, world->uri, world->work);
    MUST_REACH(world, ready, 1);
    must_publish(world, 1);
    MUST_REACH(world, deliveries, 1);
    delete_queue(world, world->work);
    MUST_REACH(world, consumer_losses, 1);
    MUST_REACH(world, consumer_ready, 2);
    must_publish(world, 1);
    MUST_REACH(world, deliveries, 2);
}

static void a_cut_consumer_gets_its_unacked_again(void **state)
{
    struct world *world = *state;

    begin_publishing(world, world->uri);
    begin_consuming(world, world->bumpy_uri, world->work);
    MUST_REACH(world, ready, 1);
    must_publish(world, 10);
    MUST_REACH(world, deliveries, 10);
    bump_set(world->bump, BUMP_CUT);
    MUST_REACH(world, consumer_losses, 1);
    bump_set(world->bump, BUMP_FLOWING);
    MUST_REACH(world, deliveries, 20);
    assert_int_equal(world->redeliveries, 10);
    for (int i = 0; i < 20; i++) /* of the old link: must not touch the new one's tags */
        amqp_consumer_ack(world->consumer, world->held[0].link, world->held[i].tag);
    for (int i = 15; i < 20; i++)
        amqp_consumer_ack(world->consumer, world->held[i].link, world->held[i].tag);
    close_consumer(world);
    must_be_left(world, 5);
}

static void a_frozen_broker_does_not_delay_a_consumers_close(void **state)
{
    struct world *world = *state;
    uint64_t began;

    begin_publishing(world, world->uri);
    begin_consuming(world, world->bumpy_uri, world->work);
    MUST_REACH(world, ready, 1);
    must_publish(world, 10);
    MUST_REACH(world, deliveries, 10);
    bump_set(world->bump, BUMP_FROZEN);
    ack_in_disorder(world);
    began = clock_monotonic_ms();
    close_consumer(world);
    assert_in_range(clock_monotonic_ms() - began, 0, 4500);
}

static void a_stop_without_a_broker_is_over_at_once(void **state)
{
    struct world *world = *state;

    bump_set(world->bump, BUMP_CUT);
    begin_consuming(world, world->bumpy_uri, world->work);
    MUST_REACH(world, consumer_losses, 1);
    amqp_consumer_stop(world->consumer);
    MUST_REACH(world, cancelled, 1);
    bump_set(world->bump, BUMP_FLOWING);
    MUST_REACH(world, consumer_ready, 1);
    close_consumer(world);
    assert_int_equal(world->cancelled, 1);
}

/* --- set-up ------------------------------------------------------------------------------------
 */

static void name_things(struct world *world, const struct amqp_connection_info *address)
{
    static int cases;
    int id = ++cases;

    snprintf(world->exchange, sizeof(world->exchange), "test.%ld.%d", (long)getpid(), id);
    snprintf(world->work, sizeof(world->work), "test.%ld.%d.work", (long)getpid(), id);
    snprintf(world->dead, sizeof(world->dead), "test.%ld.%d.dead", (long)getpid(), id);
    snprintf(world->bumpy_uri, sizeof(world->bumpy_uri), "amqp://%s:%s@127.0.0.1:%d/%s",
             address->user, address->password, bump_port(world->bump),
             strcmp(address->vhost, "/") == 0 ? "" : address->vhost);
    world->queues[0] = (struct amqp_queue){.name = world->dead};
    world->queues[1] = (struct amqp_queue){.name = world->work,
                                           .routing_key = "work",
                                           .dead_letter_exchange = "",
                                           .dead_letter_key = world->dead,
                                           .delivery_limit = 100};
    world->topology = (struct amqp_topology){world->exchange, world->queues, 2};
}

static int set_up(void **state)
{
    struct world *world = xcalloc(1, sizeof(*world));
    struct amqp_connection_info address;
    const char *uri = getenv("DOCKET_TEST_AMQP");
    char copy[300];

    if (uri == NULL) {
        fprintf(stderr, "DOCKET_TEST_AMQP is not set: these cases need a RabbitMQ\n");
        free(world);
        return -1;
    }
    snprintf(world->uri, sizeof(world->uri), "%s", uri);
    snprintf(copy, sizeof(copy), "%s", uri);
    assert_int_equal(amqp_parse_url(copy, &address), AMQP_STATUS_OK);
    world->bump = bump_open(address.host, address.port);
    name_things(world, &address);
    open_hand(world, &address);
    uv_loop_init(&world->loop);
    uv_timer_init(&world->loop, &world->alarm);
    world->alarm.data = world;
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    bump_set(world->bump, BUMP_FLOWING);
    world->closed = world->consumer_closed = 0;
    if (world->publisher != NULL)
        close_publisher(world, 0);
    if (world->consumer != NULL)
        close_consumer(world);
    delete_queue(world, world->work);
    delete_queue(world, world->dead);
    amqp_exchange_delete(world->hand, 1, amqp_cstring_bytes(world->exchange), 0);
    amqp_destroy_connection(world->hand);
    bump_close(world->bump);
    uv_close((uv_handle_t *)&world->alarm, NULL);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    free(world);
    return 0;
}

int main(int argc, char **argv)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(thousands_in_flight_are_each_acked_once),
        CASE(a_deleted_queue_returns_and_is_put_back),
        CASE(a_lost_binding_returns_and_is_put_back),
        CASE(what_nobody_takes_is_returned_though_acked),
        CASE(a_full_queue_nacks),
        CASE(a_conflicting_queue_is_named_with_its_cure),
        CASE(a_wrong_password_is_told_without_it),
        CASE(a_cut_link_loses_each_once_before_it_says_so),
        CASE(a_frozen_broker_is_noticed_by_its_silence),
        CASE(a_frozen_broker_does_not_delay_a_close),
        CASE(a_close_waits_for_outstanding_confirms),
        CASE(a_link_that_never_came_up_closes_at_once),
        CASE(an_inspection_counts_and_survives_a_missing_queue),
        CASE(what_was_published_arrives_whole),
        CASE(acks_in_any_order_survive_a_close),
        CASE(no_more_than_the_prefetch_is_in_flight),
        CASE(a_stop_leaves_what_is_in_flight_to_be_acked),
        CASE(a_rejected_delivery_becomes_a_dead_letter),
        CASE(a_deleted_queue_is_consumed_again),
        CASE(a_cut_consumer_gets_its_unacked_again),
        CASE(a_frozen_broker_does_not_delay_a_consumers_close),
        CASE(a_stop_without_a_broker_is_over_at_once),
    };

    if (argc > 1) /* one case by name, or several with * */
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
