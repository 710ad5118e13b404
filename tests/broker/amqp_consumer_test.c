/* What base/amqp.h promises to who consumes. */
#include "tests/broker/world.h"

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
    must_publish(world, PREFETCH);
    MUST_REACH(world, deliveries, PREFETCH);
    amqp_consumer_stop(world->consumer);
    MUST_REACH(world, cancelled, 1);
    must_publish(world, 5);
    ack_in_disorder(world);
    close_consumer(world);
    assert_int_equal(world->deliveries, PREFETCH);
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

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
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
