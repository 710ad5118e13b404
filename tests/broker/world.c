#include "tests/broker/world.h"

#include <amqp_tcp_socket.h>
#include <unistd.h>

enum { WAIT_MS = 30000, FRAME_BYTES = 131072 };

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

void must_work(struct world *world)
{
    assert_int_equal(amqp_get_rpc_reply(world->hand).reply_type, AMQP_RESPONSE_NORMAL);
}

void delete_queue(struct world *world, const char *name)
{
    amqp_queue_delete(world->hand, 1, amqp_cstring_bytes(name), 0, 0);
    must_work(world);
}

int depth(struct world *world, const char *name)
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

void must_reach(struct world *world, const int *value, int least, const char *what)
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

void begin_publishing(struct world *world, const char *uri)
{
    static const struct amqp_publisher_events events = {on_ready, on_blocked, on_lost, on_settled,
                                                        on_inspected};

    world->publisher =
        amqp_publisher_create(&world->loop, uri, &world->topology, &events, world, "relay");
}

void begin_consuming(struct world *world, const char *uri, const char *queue)
{
    static const struct amqp_consumer_events events = {on_consumer_ready, on_delivery,
                                                       on_consumer_lost, on_cancelled};

    world->consumer = amqp_consumer_create(&world->loop, uri, &world->topology, queue, PREFETCH,
                                           &events, world, "worker");
}

void send_as(struct world *world, const char *routing_key)
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

void send_many(struct world *world, int count)
{
    for (int i = 0; i < count; i++)
        send_as(world, "work");
}

void must_publish(struct world *world, int count)
{
    send_many(world, count);
    MUST_REACH(world, settled, world->published);
    assert_int_equal(world->verdicts[AMQP_ACKED], world->published);
}

void must_be_left(struct world *world, int messages)
{
    int acked = world->verdicts[AMQP_ACKED];

    send_many(world, 1);
    MUST_REACH(world, verdicts[AMQP_ACKED], acked + 1);
    assert_int_equal(depth(world, world->work), messages + 1);
}

void close_publisher(struct world *world, uint64_t grace_ms)
{
    amqp_publisher_close(world->publisher, grace_ms, on_closed);
    MUST_REACH(world, closed, 1);
    world->publisher = NULL;
}

void close_consumer(struct world *world)
{
    amqp_consumer_close(world->consumer, on_consumer_closed);
    MUST_REACH(world, consumer_closed, 1);
    world->consumer = NULL;
}

void must_be_balanced(const struct world *world)
{
    assert_int_equal(world->settled, world->published);
    assert_int_equal(world->wrong, 0);
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

int set_up(void **state)
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

int tear_down(void **state)
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
