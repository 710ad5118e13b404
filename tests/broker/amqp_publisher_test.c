/* What base/amqp.h promises to who publishes. */
#include "tests/broker/world.h"

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
    const char *path = strchr(strstr(world->uri, "://") + strlen("://"), '/');
    const char *vhost = path && path[1] ? path + 1 : "/";
    char cure[160];

    amqp_queue_declare(world->hand, 1, amqp_cstring_bytes(world->work), 0, 1, 0, 0,
                       amqp_empty_table);
    must_work(world);
    begin_publishing(world, world->uri);
    MUST_REACH(world, losses, 1);
    assert_int_equal(world->fault.kind, FAULT_BROKEN);
    assert_string_equal(world->fault.code, "queue_conflict");
    snprintf(cure, sizeof(cure), "rabbitmqctl delete_queue %s -p %s", world->work, vhost);
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

/* While the thread waited for the inspection's answer it heard the wake of what was published
 * meanwhile, and then slept on it for a second. */
static void what_is_published_during_an_inspection_goes_out_at_once(void **state)
{
    enum { TIMES = 100 };
    struct world *world = *state;
    uint64_t began;

    begin_publishing(world, world->uri);
    MUST_REACH(world, ready, 1);
    must_publish(world, 1);
    began = clock_monotonic_ms();
    for (int i = 1; i <= TIMES; i++) {
        amqp_publisher_inspect(world->publisher, world->work);
        for (int turn = 0; turn < i % 8; turn++)
            uv_run(&world->loop, UV_RUN_NOWAIT);
        send_many(world, 1);
        MUST_REACH(world, settled, i + 1);
        MUST_REACH(world, inspected, i);
    }
    assert_in_range(clock_monotonic_ms() - began, 0, TIMES * 50);
}

int main(int argc, char **argv)
{
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
        CASE(what_is_published_during_an_inspection_goes_out_at_once),
    };

    if (argc > 1) /* one case by name, or several with * */
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
