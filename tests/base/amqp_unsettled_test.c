#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/amqp_unsettled.h"

#include <cmocka.h> /* last: its fail() would hide ours */

enum { COOKIE = 1000 }; /* the message with tag t has cookie COOKIE + t */

struct books {
    struct amqp_unsettled unsettled;
    struct amqp_settled_batch batch;
};

static int set_up(void **state)
{
    struct books *books = calloc(1, sizeof(*books));

    amqp_unsettled_init(&books->unsettled);
    *state = books;
    return 0;
}

static int tear_down(void **state)
{
    struct books *books = *state;

    amqp_unsettled_finish(&books->unsettled);
    free(books->batch.settled);
    free(books);
    return 0;
}

static void publish(struct books *books, uint64_t tags)
{
    char id[32];

    for (uint64_t i = 0; i < tags; i++) {
        snprintf(id, sizeof(id), "%llu.0", (unsigned long long)books->unsettled.next);
        amqp_unsettled_add(&books->unsettled, COOKIE + books->unsettled.next, id);
    }
}

static void ack(struct books *books, uint64_t tag, bool is_multiple)
{
    amqp_unsettled_settle(&books->unsettled, tag, is_multiple, AMQP_ACKED, &books->batch);
}

static uint64_t take_back(struct books *books, const char *id)
{
    return amqp_unsettled_return(&books->unsettled, id, strlen(id));
}

static void must_be_settled(const struct books *books, size_t at, uint64_t tag,
                            enum amqp_verdict verdict)
{
    assert_in_range(at + 1, 1, books->batch.count);
    assert_int_equal(books->batch.settled[at].cookie, COOKIE + tag);
    assert_int_equal(books->batch.settled[at].verdict, verdict);
}

static void tags_count_from_one(void **state)
{
    struct books *books = *state;

    assert_int_equal(amqp_unsettled_add(&books->unsettled, 1, "a"), 1);
    assert_int_equal(amqp_unsettled_add(&books->unsettled, 2, "b"), 2);
    assert_int_equal(books->unsettled.count, 2);
}

static void a_single_ack_settles_one(void **state)
{
    struct books *books = *state;

    publish(books, 3);
    ack(books, 2, false);
    assert_int_equal(books->batch.count, 1);
    must_be_settled(books, 0, 2, AMQP_ACKED);
    assert_int_equal(books->unsettled.count, 2);
}

static void a_multiple_ack_settles_all_that_are_lower_once(void **state)
{
    struct books *books = *state;

    publish(books, 5);
    ack(books, 2, false);
    ack(books, 4, true);
    assert_int_equal(books->batch.count, 4);
    must_be_settled(books, 0, 2, AMQP_ACKED);
    must_be_settled(books, 1, 1, AMQP_ACKED);
    must_be_settled(books, 2, 3, AMQP_ACKED);
    must_be_settled(books, 3, 4, AMQP_ACKED);
    assert_int_equal(books->unsettled.count, 1);
}

static void a_nack_is_not_overruled_by_a_later_multiple_ack(void **state)
{
    struct books *books = *state;

    publish(books, 3);
    amqp_unsettled_settle(&books->unsettled, 2, false, AMQP_NACKED, &books->batch);
    ack(books, 3, true);
    assert_int_equal(books->batch.count, 3);
    must_be_settled(books, 0, 2, AMQP_NACKED);
}

static void a_returned_message_stays_returned_when_it_is_acked(void **state)
{
    struct books *books = *state;

    publish(books, 3);
    assert_int_equal(take_back(books, "2.0"), 2);
    assert_int_equal(books->batch.count, 0);
    ack(books, 3, true);
    must_be_settled(books, 1, 2, AMQP_RETURNED);
    must_be_settled(books, 2, 3, AMQP_ACKED);
}

static void the_same_id_returned_twice_marks_two_messages(void **state)
{
    struct books *books = *state;

    amqp_unsettled_add(&books->unsettled, COOKIE + 1, "7.0");
    amqp_unsettled_add(&books->unsettled, COOKIE + 2, "7.0");
    assert_int_equal(take_back(books, "7.0"), 1);
    assert_int_equal(take_back(books, "7.0"), 2);
    assert_int_equal(take_back(books, "7.0"), 0);
}

static void returns_out_of_order_are_found(void **state)
{
    struct books *books = *state;

    publish(books, 100);
    assert_int_equal(take_back(books, "90.0"), 90);
    assert_int_equal(take_back(books, "10.0"), 10);
    assert_int_equal(take_back(books, "11.0"), 11);
    assert_int_equal(take_back(books, "1"), 0); /* not a prefix of anybody */
}

static void a_confirm_of_an_unknown_tag_settles_nothing(void **state)
{
    struct books *books = *state;

    publish(books, 2);
    ack(books, 3, true);
    ack(books, 0, false);
    assert_int_equal(books->batch.count, 0);
    ack(books, 1, false);
    ack(books, 1, false);
    assert_int_equal(books->batch.count, 1);
}

static void a_multiple_ack_of_tag_zero_means_all(void **state)
{
    struct books *books = *state;

    publish(books, 3);
    ack(books, 0, true);
    assert_int_equal(books->batch.count, 3);
    ack(books, 0, true);
    assert_int_equal(books->batch.count, 3);
}

static void loss_settles_each_exactly_once_and_tags_begin_again(void **state)
{
    struct books *books = *state;

    publish(books, 5);
    ack(books, 3, false);
    take_back(books, "4.0");
    amqp_unsettled_lose(&books->unsettled, &books->batch);
    assert_int_equal(books->batch.count, 5);
    must_be_settled(books, 3, 4, AMQP_LOST);
    assert_int_equal(books->unsettled.count, 0);
    amqp_unsettled_lose(&books->unsettled, &books->batch);
    assert_int_equal(books->batch.count, 5);
    assert_int_equal(amqp_unsettled_add(&books->unsettled, 1, "a"), 1);
}

/* The ring wraps and grows while tags are open at both ends; a model says what must come out. */
static void every_message_settles_once_whatever_the_order(void **state)
{
    enum { MESSAGES = 20000 };
    struct books *books = *state;
    unsigned char *seen = calloc(MESSAGES + 1, 1);
    uint64_t random = 1;

    while (books->unsettled.next <= MESSAGES || books->unsettled.count > 0) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        if (books->unsettled.next <= MESSAGES && random >> 63)
            publish(books, 1 + (random >> 40) % 50);
        else if (books->unsettled.next > books->unsettled.first)
            ack(books,
                books->unsettled.first +
                    (random >> 40) % (books->unsettled.next - books->unsettled.first),
                (random >> 33) % 16 == 0);
    }
    for (size_t i = 0; i < books->batch.count; i++) {
        uint64_t tag = books->batch.settled[i].cookie - COOKIE;

        if (tag <= MESSAGES)
            assert_int_equal(seen[tag]++, 0);
    }
    assert_int_equal(books->batch.count, books->unsettled.next - 1);
    free(seen);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(tags_count_from_one),
        CASE(a_single_ack_settles_one),
        CASE(a_multiple_ack_settles_all_that_are_lower_once),
        CASE(a_nack_is_not_overruled_by_a_later_multiple_ack),
        CASE(a_returned_message_stays_returned_when_it_is_acked),
        CASE(the_same_id_returned_twice_marks_two_messages),
        CASE(returns_out_of_order_are_found),
        CASE(a_confirm_of_an_unknown_tag_settles_nothing),
        CASE(a_multiple_ack_of_tag_zero_means_all),
        CASE(loss_settles_each_exactly_once_and_tags_begin_again),
        CASE(every_message_settles_once_whatever_the_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
