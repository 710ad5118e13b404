/* queue/floor.h against a model of Postgres: transactions draw ids and end in any order, strangers
 * stay open, rows are in hand, fail, are settled, or belong to a topic at rest while polls are
 * under way. */
#include "queue/floor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "queue/writers.h"

enum { IDS_MAX = 600, OPEN_MAX = 24, STEPS = 6000, LIMIT_MAX = 12, TOPICS = 2 };

enum row_state { UNUSED, OPEN, ABORTED, WAITING, IN_HAND, GONE };

struct transaction {
    uint64_t xid; /* 0: none */
    int ids[4], count;
    bool is_stranger;
};

struct model {
    unsigned seed;
    uint64_t next_xid;
    int next_id;
    struct transaction open[OPEN_MAX];
    enum row_state rows[IDS_MAX];
    int topics[IDS_MAX], published[IDS_MAX], failures[IDS_MAX];
    bool is_draining; /* nothing new begins */

    /* The poll under way. */
    bool is_sent, is_seen, excluded[IDS_MAX], seen[IDS_MAX];
    struct floor_poll poll;
    struct writers writers;
    bool is_listing; /* every poll tells who writes */
    int64_t from[TOPICS + 1], lowest_excluded[TOPICS + 1];
    int resting_topic, limit; /* topic 0: none rests */
    struct floor floors[TOPICS + 1];
};

static struct model the_model; /* too large for the stack */

static unsigned pick(struct model *model, unsigned below)
{
    model->seed = model->seed * 1103515245U + 12345U;
    return (model->seed >> 16) % below;
}

static void begin_transaction(struct model *model)
{
    struct transaction *transaction = &model->open[pick(model, OPEN_MAX)];

    if (transaction->xid != 0 || model->is_draining)
        return;
    memset(transaction, 0, sizeof(*transaction));
    transaction->xid = model->next_xid++; /* the order is written first: the xid precedes the ids */
    transaction->is_stranger = pick(model, 8) == 0;
}

static void draw_id(struct model *model)
{
    struct transaction *transaction = &model->open[pick(model, OPEN_MAX)];

    if (transaction->xid == 0 || transaction->is_stranger || transaction->count == 4 ||
        model->next_id == IDS_MAX)
        return;
    transaction->ids[transaction->count++] = model->next_id;
    model->topics[model->next_id] = 1 + (int)pick(model, TOPICS);
    model->rows[model->next_id++] = OPEN;
}

static void end_transaction(struct model *model, struct transaction *transaction)
{
    bool aborts = pick(model, 6) == 0;

    for (int i = 0; i < transaction->count; i++)
        model->rows[transaction->ids[i]] = aborts ? ABORTED : WAITING;
    *transaction = (struct transaction){0};
}

static void end_some_transaction(struct model *model)
{
    struct transaction *transaction = &model->open[pick(model, OPEN_MAX)];

    if (transaction->xid != 0 && (!transaction->is_stranger || pick(model, 40) == 0))
        end_transaction(model, transaction);
}

static int64_t lowest_in_hand(const struct model *model, int topic)
{
    for (int id = 1; id < model->next_id; id++) {
        if (model->rows[id] == IN_HAND && model->topics[id] == topic)
            return id;
    }
    return INT64_MAX;
}

static void send_poll(struct model *model)
{
    if (model->is_sent)
        return;
    model->is_sent = true;
    model->poll.number++;
    for (int topic = 1; topic <= TOPICS; topic++) {
        model->from[topic] = model->floors[topic].safe;
        model->lowest_excluded[topic] = lowest_in_hand(model, topic);
    }
    model->limit = 1 + (int)pick(model, LIMIT_MAX);
    model->resting_topic = model->is_draining ? 0 : (int)pick(model, TOPICS + 1);
    for (int id = 0; id < model->next_id; id++)
        model->excluded[id] = model->rows[id] == IN_HAND;
    memset(model->excluded + model->next_id, 0, (size_t)(IDS_MAX - model->next_id));
}

static void read_topic(struct model *model, int topic, struct floor_poll poll)
{
    int taken = 0;

    for (int id = (int)model->from[topic]; id < model->next_id && taken < model->limit; id++) {
        if (!model->seen[id] || model->topics[id] != topic)
            continue;
        model->rows[id] = IN_HAND;
        model->published[id]++;
        poll.last_id = id;
        taken++;
    }
    poll.is_exhausted = taken < model->limit;
    poll.lowest_in_hand = lowest_in_hand(model, topic);
    if (model->lowest_excluded[topic] < poll.lowest_in_hand)
        poll.lowest_in_hand = model->lowest_excluded[topic];
    floor_polled(&model->floors[topic], &poll);
}

/* When the server gets to it, which may be long after the poll was sent. */
static void take_snapshot(struct model *model)
{
    struct floor_poll *poll = &model->poll;

    if (!model->is_sent || model->is_seen)
        return;
    model->is_seen = true;
    poll->xmin = poll->xmax = model->next_xid;
    for (int i = 0; i < OPEN_MAX; i++) {
        if (model->open[i].xid != 0 && model->open[i].xid < poll->xmin)
            poll->xmin = model->open[i].xid;
    }
    for (int id = 0; id < IDS_MAX; id++)
        model->seen[id] = model->rows[id] == WAITING && !model->excluded[id];
}

/* Those who have written, as their locks tell when they are read: later than the snapshot. */
static void list_writers(struct model *model)
{
    char list[OPEN_MAX * 24] = "";
    size_t length = 0;

    for (int i = 0; i < OPEN_MAX; i++) {
        if (model->open[i].count > 0)
            length +=
                (size_t)snprintf(list + length, sizeof(list) - length, "%s%d/%llu",
                                 length ? "," : "", i, (unsigned long long)model->open[i].xid);
    }
    writers_listed(&model->writers, model->poll.number, list);
}

static void answer_poll(struct model *model)
{
    if (!model->is_seen)
        return;
    model->poll.settled = model->writers.settled;
    for (int topic = 1; topic <= TOPICS; topic++) {
        if (topic != model->resting_topic)
            read_topic(model, topic, model->poll);
    }
    if (model->is_listing)
        list_writers(model);
    model->is_sent = model->is_seen = false;
}

static void end_some_row(struct model *model)
{
    int id = (int)pick(model, (unsigned)model->next_id);

    if (model->rows[id] != IN_HAND)
        return;
    if (pick(model, 5) == 0) {
        model->rows[id] = WAITING;
        model->failures[id]++;
    } else {
        model->rows[id] = GONE;
    }
}

static void must_hold(const struct model *model)
{
    for (int id = 1; id < model->next_id; id++) {
        bool may_appear =
            model->rows[id] == OPEN || model->rows[id] == WAITING || model->rows[id] == IN_HAND;

        if (may_appear && id < model->floors[model->topics[id]].safe)
            fail_msg("row %d is below the floor %lld (seed state %u)", id,
                     (long long)model->floors[model->topics[id]].safe, model->seed);
    }
}

static void step(struct model *model)
{
    static void (*const steps[])(struct model *) = {
        begin_transaction, draw_id,       draw_id,     end_some_transaction,
        send_poll,         take_snapshot, answer_poll, end_some_row};

    steps[pick(model, sizeof(steps) / sizeof(steps[0]))](model);
}

static void drain(struct model *model)
{
    model->is_draining = true;
    for (int i = 0; i < OPEN_MAX; i++)
        end_transaction(model, &model->open[i]);
    for (int i = 0; i < 12 * IDS_MAX; i++) {
        send_poll(model);
        take_snapshot(model);
        answer_poll(model);
        end_some_row(model);
    }
    for (int id = 1; id < model->next_id; id++) {
        if (model->rows[id] == IN_HAND)
            model->rows[id] = GONE;
    }
    for (int i = 0; i < 3; i++) {
        send_poll(model);
        take_snapshot(model);
        answer_poll(model);
    }
}

static void run(struct model *model, unsigned seed)
{
    writers_reset(&model->writers);
    memset(model, 0, sizeof(*model));
    model->seed = seed;
    model->is_listing = seed % 2 == 0;
    model->next_xid = 700;
    model->next_id = 1;
    for (int i = 0; i < STEPS; i++) {
        step(model);
        if (i % 16 == 0)
            must_hold(model);
    }
    drain(model);
}

static void nothing_is_skipped_and_nothing_is_published_twice_without_cause(void **state)
{
    struct model *model = &the_model;

    (void)state;
    for (unsigned seed = 1; seed <= 200; seed++) {
        run(model, seed);
        for (int id = 1; id < model->next_id; id++) {
            assert_true(model->rows[id] == ABORTED || model->rows[id] == GONE);
            assert_int_equal(model->published[id],
                             model->rows[id] == ABORTED ? 0 : model->failures[id] + 1);
        }
    }
}

static void the_floor_follows_when_everything_is_done(void **state)
{
    struct model *model = &the_model;

    (void)state;
    run(model, 99);
    for (int id = 1; id < model->next_id; id++) /* what was rolled back was never read */
        assert_true(model->rows[id] == ABORTED || id < model->floors[model->topics[id]].safe);
}

static void a_transaction_keeps_the_floor_and_stops_nothing(void **state)
{
    struct floor floor = {0};
    struct floor_poll poll = {
        .xmin = 10, .xmax = 20, .number = 1, .is_exhausted = true, .lowest_in_hand = INT64_MAX};

    (void)state;
    for (int64_t id = 1; id <= 100; id++) {
        poll.last_id = id;
        poll.xmax++;
        floor_polled(&floor, &poll);
        assert_int_equal(floor.next, id + 1);
    }
    assert_int_equal(floor.safe, 0);
    poll.last_id = 0;
    poll.xmin = poll.xmax; /* it has ended */
    floor_polled(&floor, &poll);
    floor_polled(&floor, &poll);
    assert_int_equal(floor.safe, 101);
}

static void a_stranger_keeps_nothing_once_all_who_wrote_have_ended(void **state)
{
    struct floor floor = {0};
    struct floor_poll poll = {.xmin = 10,
                              .xmax = 20,
                              .number = 1,
                              .last_id = 9,
                              .is_exhausted = true,
                              .lowest_in_hand = INT64_MAX};

    (void)state;
    floor_polled(&floor, &poll);
    poll.number++;
    poll.last_id = 0;
    floor_polled(&floor, &poll); /* nothing is known of those who wrote */
    assert_int_equal(floor.safe, 0);
    poll.settled = 1;
    floor_polled(&floor, &poll);
    assert_int_equal(floor.safe, 10);
}

static void who_is_marked_is_forgotten_once_a_list_is_without_him(void **state)
{
    static const struct {
        const char *list;
        int64_t settled;
    } polls[] = {{"3/15,7/88,13/1", 0},
                 {"7/88,4/1,13/1", 0},   /* 3/15 has ended */
                 {"13/15,17/88,3/1", 1}, /* who is only called alike is not him */
                 {"3/1,5/5", 1},         /* marked: 13/15, 17/88, 3/1 of the third */
                 {"5/5", 3},
                 {"", 6},
                 {"", 7}};
    struct writers writers = {0};

    (void)state;
    for (int poll = 1; poll <= (int)(sizeof(polls) / sizeof(polls[0])); poll++) {
        writers_listed(&writers, poll, polls[poll - 1].list);
        assert_int_equal(writers.settled, polls[poll - 1].settled);
    }
    writers_listed(&writers, 8, "1/1");
    writers_reset(&writers);
    assert_int_equal(writers.settled, 0);
    writers_listed(&writers, 9, "");
    assert_int_equal(writers.settled, 9);
}

static void a_row_that_was_let_go_of_during_the_poll_is_not_passed(void **state)
{
    struct floor floor = {.safe = 1, .next = 50, .candidate = 50, .candidate_xmax = 20};
    struct floor_poll poll = {.xmin = 30, .xmax = 31, .is_exhausted = true, .lowest_in_hand = 7};

    (void)state;
    floor_polled(&floor, &poll);
    assert_int_equal(floor.safe, 7);
}

static void a_poll_that_was_cut_short_proves_nothing_beyond_its_last_row(void **state)
{
    struct floor floor = {.safe = 1, .next = 50, .candidate = 50, .candidate_xmax = 20};
    struct floor_poll poll = {.xmin = 30, .xmax = 31, .last_id = 48, .lowest_in_hand = INT64_MAX};

    (void)state;
    floor_polled(&floor, &poll);
    assert_int_equal(floor.safe, 1);
    poll.last_id = 49;
    floor_polled(&floor, &poll);
    assert_int_equal(floor.safe, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_skipped_and_nothing_is_published_twice_without_cause),
        cmocka_unit_test(the_floor_follows_when_everything_is_done),
        cmocka_unit_test(a_transaction_keeps_the_floor_and_stops_nothing),
        cmocka_unit_test(a_stranger_keeps_nothing_once_all_who_wrote_have_ended),
        cmocka_unit_test(who_is_marked_is_forgotten_once_a_list_is_without_him),
        cmocka_unit_test(a_row_that_was_let_go_of_during_the_poll_is_not_passed),
        cmocka_unit_test(a_poll_that_was_cut_short_proves_nothing_beyond_its_last_row),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
