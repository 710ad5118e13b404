/* How much is let in, in simulated time: batches of 100 that take 50 ms, so 2,000 orders/s. */
#include "api/shed_rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { BATCH = 100, COMMIT_US = 50000, DELAY_US = 20000, STEP_US = 500, WAITING_MAX = 100000 };
static const int64_t PATIENCE_US = 5000000;

/* One queue, one batch in flight, arrivals evenly spaced. */
struct world {
    struct shed_rule rule;
    int64_t now_us, ends_us; /* ends_us: of the batch in flight; 0: none */
    int64_t commit_us;
    double owed; /* arrivals, in parts of one */
    int64_t since_us[WAITING_MAX];
    int first, waiting, in_flight;
    int refused, committed;
    int64_t longest_us; /* that one waited for its batch */
};

static struct world world;

static void begin(int64_t commit_us)
{
    memset(&world, 0, sizeof(world));
    world.rule.delay_us = DELAY_US;
    world.rule.batch_max = BATCH;
    world.now_us = 1;
    world.commit_us = commit_us;
}

static int64_t waited_us(int index)
{
    return world.now_us - world.since_us[(world.first + index) % WAITING_MAX];
}

static void arrive(void)
{
    if (!shed_rule_takes(&world.rule, world.waiting, PATIENCE_US)) {
        world.refused++;
        return;
    }
    assert_true(world.waiting < WAITING_MAX);
    world.since_us[(world.first + world.waiting++) % WAITING_MAX] = world.now_us;
}

static void send_batch(void)
{
    int count = world.waiting < BATCH ? world.waiting : BATCH;
    int64_t youngest_us;

    if (count == 0)
        return;
    youngest_us = waited_us(count - 1);
    if (waited_us(0) > world.longest_us)
        world.longest_us = waited_us(0);
    world.first = (world.first + count) % WAITING_MAX;
    world.waiting -= count;
    world.in_flight = count;
    world.ends_us = world.now_us + world.commit_us;
    shed_rule_on_taken(&world.rule, world.now_us, world.waiting, youngest_us);
}

static void pass(double rate, int64_t for_us)
{
    int64_t until_us = world.now_us + for_us;

    for (; world.now_us < until_us; world.now_us += STEP_US) {
        world.owed += rate * STEP_US / 1e6;
        while (world.owed >= 1) {
            world.owed--;
            arrive();
        }
        if (world.ends_us != 0 && world.now_us >= world.ends_us) {
            world.committed += world.in_flight;
            shed_rule_on_committed(&world.rule, world.in_flight, world.commit_us);
            world.ends_us = 0;
        }
        if (world.ends_us == 0)
            send_batch();
    }
}

static void forget(void)
{
    world.refused = world.committed = 0;
    world.longest_us = 0;
}

static void nothing_is_refused_below_the_capacity(void **state)
{
    static const double rates[] = {1, 10, 300, 1000, 1900};

    (void)state;
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        begin(COMMIT_US);
        pass(rates[i], 10000000);
        assert_int_equal(world.refused, 0);
        assert_false(world.rule.is_shedding);
    }
}

/* The delay of a batch is not the delay of a queue. */
static void a_slow_commit_alone_is_no_overload(void **state)
{
    (void)state;
    begin(1000000);
    pass(90, 20000000);
    assert_int_equal(world.refused, 0);
}

static void whatever_comes_the_capacity_is_used_and_the_delay_is_kept(void **state)
{
    static const double times[] = {1.5, 2, 4, 10, 40};

    (void)state;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        int too_many = (int)(20000 * (times[i] - 1));

        begin(COMMIT_US);
        pass(2000 * times[i], 2000000);
        forget();
        pass(2000 * times[i], 10000000);
        assert_true(world.rule.is_shedding);
        assert_in_range(world.committed, 19700, 20100); /* 10 s at 2,000/s */
        assert_in_range(world.longest_us, 0, COMMIT_US + DELAY_US);
        assert_in_range(world.refused, too_many - 300, too_many + 300);
    }
}

static void even_the_first_moment_of_a_flood_makes_no_long_queue(void **state)
{
    (void)state;
    begin(COMMIT_US);
    pass(1000, 2000000);
    forget();
    pass(40000, 1000000);
    assert_in_range(world.longest_us, COMMIT_US, SHED_BURST_TIMES * DELAY_US + 2 * COMMIT_US);
}

/* 160 in a moment, where a batch has room for 100. */
static void a_burst_is_taken_whole(void **state)
{
    (void)state;
    begin(COMMIT_US);
    pass(1000, 1000000);
    pass(4000, 40000);
    pass(1000, 1000000);
    assert_int_equal(world.refused, 0);
    assert_false(world.rule.is_shedding);
}

static void it_ends_soon_after_the_flood_has(void **state)
{
    int64_t since_us;

    (void)state;
    begin(COMMIT_US);
    pass(20000, 5000000);
    assert_true(world.rule.is_shedding);
    since_us = world.now_us;
    while (world.rule.is_shedding && world.now_us - since_us < 5000000)
        pass(1400, 10000);
    assert_in_range(world.now_us - since_us, 0, 500000);
    forget();
    pass(1400, 5000000);
    assert_int_equal(world.refused, 0);
}

static void whose_answer_would_come_too_late_is_refused_at_once(void **state)
{
    struct shed_rule rule = {.delay_us = 1000000, .batch_max = BATCH};

    (void)state;
    shed_rule_on_committed(&rule, BATCH, COMMIT_US);
    assert_true(shed_rule_takes(&rule, 250, (int64_t)4 * COMMIT_US));
    assert_false(shed_rule_takes(&rule, 300, (int64_t)4 * COMMIT_US));
    assert_true(shed_rule_takes(&rule, 0, COMMIT_US / 2)); /* who knows: it may be quick */
    assert_false(shed_rule_takes(&rule, 0, 0));
}

static void pushes_back_only_when_refusing_makes_the_loop_late(void **state)
{
    struct shed_rule rule = {.delay_us = DELAY_US, .batch_max = BATCH};

    (void)state;
    assert_false(shed_rule_pushes_back(&rule, (int64_t)10 * SHED_LAG_US));
    rule.is_shedding = true;
    assert_false(shed_rule_pushes_back(&rule, SHED_LAG_US));
    assert_true(shed_rule_pushes_back(&rule, SHED_LAG_US + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_refused_below_the_capacity),
        cmocka_unit_test(a_slow_commit_alone_is_no_overload),
        cmocka_unit_test(whatever_comes_the_capacity_is_used_and_the_delay_is_kept),
        cmocka_unit_test(even_the_first_moment_of_a_flood_makes_no_long_queue),
        cmocka_unit_test(a_burst_is_taken_whole),
        cmocka_unit_test(it_ends_soon_after_the_flood_has),
        cmocka_unit_test(whose_answer_would_come_too_late_is_refused_at_once),
        cmocka_unit_test(pushes_back_only_when_refusing_makes_the_loop_late),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
