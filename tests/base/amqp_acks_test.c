#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/amqp_acks.h"

#include <cmocka.h> /* last: its fail() would hide ours */

/* What went out, as one line: "-2 +3* +5" is a reject of 2, a multiple ack of 3, an ack of 5. */
struct line {
    struct amqp_acks acks;
    char text[512];
};

static int set_up(void **state)
{
    struct line *line = calloc(1, sizeof(*line));

    amqp_acks_init(&line->acks);
    *state = line;
    return 0;
}

static int tear_down(void **state)
{
    struct line *line = *state;

    amqp_acks_finish(&line->acks);
    free(line);
    return 0;
}

static void put(struct line *line, const char *sign, uint64_t tag, const char *after)
{
    size_t length = strlen(line->text);

    snprintf(line->text + length, sizeof(line->text) - length, "%s%s%llu%s", length ? " " : "",
             sign, (unsigned long long)tag, after);
}

static void on_ack(void *to, uint64_t tag, bool is_multiple)
{
    put(to, "+", tag, is_multiple ? "*" : "");
}

static void on_reject(void *to, uint64_t tag)
{
    put(to, "-", tag, "");
}

static void deliver(struct line *line, uint64_t from, uint64_t to)
{
    for (uint64_t tag = from; tag <= to; tag++)
        amqp_acks_delivered(&line->acks, tag);
}

static void ack(struct line *line, uint64_t tag)
{
    amqp_acks_note(&line->acks, tag, false);
}

static void reject(struct line *line, uint64_t tag)
{
    amqp_acks_note(&line->acks, tag, true);
}

static void must_flush(struct line *line, const char *expected)
{
    const struct amqp_acks_sink sink = {on_ack, on_reject, line};

    line->text[0] = '\0';
    amqp_acks_flush(&line->acks, &sink);
    assert_string_equal(line->text, expected);
}

static void a_run_from_the_oldest_is_one_multiple_ack(void **state)
{
    struct line *line = *state;

    deliver(line, 1, 5);
    ack(line, 3), ack(line, 1), ack(line, 2);
    must_flush(line, "+3*");
    must_flush(line, "");
}

static void one_alone_is_a_single_ack(void **state)
{
    struct line *line = *state;

    deliver(line, 1, 2);
    ack(line, 1);
    must_flush(line, "+1");
}

static void nothing_open_is_covered_by_a_multiple_ack(void **state)
{
    struct line *line = *state;

    deliver(line, 1, 6);
    ack(line, 1), ack(line, 2), ack(line, 4), ack(line, 6);
    must_flush(line, "+2* +4 +6");
    ack(line, 3);
    must_flush(line, "+3"); /* 4 is gone already: 3 is the only one */
    ack(line, 5);
    must_flush(line, "+5");
}

static void a_reject_goes_out_before_the_ack_that_would_cover_it(void **state)
{
    struct line *line = *state;

    deliver(line, 1, 4);
    ack(line, 1), ack(line, 3), ack(line, 4), reject(line, 2);
    must_flush(line, "-2 +4*");
}

static void twice_or_unknown_is_nothing(void **state)
{
    struct line *line = *state;

    deliver(line, 1, 3);
    ack(line, 2), ack(line, 2), reject(line, 2), ack(line, 9), ack(line, 0);
    must_flush(line, "+2");
    ack(line, 2);
    must_flush(line, "");
}

static void a_lost_channel_forgets_everything(void **state)
{
    struct line *line = *state;

    deliver(line, 1, 3);
    ack(line, 1);
    amqp_acks_lose(&line->acks);
    must_flush(line, "");
    deliver(line, 1, 1);
    ack(line, 1);
    must_flush(line, "+1");
}

/* A delivery that stays open for long must not be covered, however far the others run ahead. */
static void one_slow_delivery_among_thousands_stays_open(void **state)
{
    enum { DELIVERIES = 5000 };
    struct line *line = *state;

    deliver(line, 1, 1);
    for (uint64_t tag = 2; tag <= DELIVERIES; tag++) {
        char expected[32];

        deliver(line, tag, tag);
        ack(line, tag);
        snprintf(expected, sizeof(expected), "+%llu", (unsigned long long)tag);
        must_flush(line, expected);
    }
    deliver(line, DELIVERIES + 1, DELIVERIES + 1);
    ack(line, 1), ack(line, DELIVERIES + 1);
    must_flush(line, "+5001*");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_run_from_the_oldest_is_one_multiple_ack),
        CASE(one_alone_is_a_single_ack),
        CASE(nothing_open_is_covered_by_a_multiple_ack),
        CASE(a_reject_goes_out_before_the_ack_that_would_cover_it),
        CASE(twice_or_unknown_is_nothing),
        CASE(a_lost_channel_forgets_everything),
        CASE(one_slow_delivery_among_thousands_stays_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
