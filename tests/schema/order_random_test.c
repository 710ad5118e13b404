/* order_decide() against providers, carriers and crashes at random: 100,000 lives of orders.
 *
 * The provider here protects less than a real one: only the key keeps a confirm from charging
 * twice, and a call may act at any time up to its longest, whatever its caller has seen.  So each
 * charge too many shows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "schema/order_state.h"

#include <cmocka.h>

/* SEND_MS: from the commit that a confirm is about to be sent to its first byte. */
enum {
    LIVES = 100000,
    TURNS_MAX = 400,
    SEND_MS = 50,
    KEYS_MAX = 64,
    LONGEST_MS = 80000,
    WAIT_MS = 600000
};

static const struct order_policy policy = {
    .retry = {1000, 60000, 6},
    .customer_wait_ms = WAIT_MS,
    .unknown_sla_ms = 200000,
    .longest_call_ms = LONGEST_MS,
    .crashes_max = 4,
};

/* One confirm under way: it acts at `acts_at`, unless it does not (-1). */
struct confirm {
    bool is_sent;
    int64_t acts_at;
};

struct life {
    uint64_t seed;
    int64_t now;

    /* The books. */
    struct order_facts facts;
    enum task_state task;
    int64_t due_at, sent_at, opened_at, unknown_at, ended_at;
    bool was_paid; /* the status was once `confirmed` */

    /* The outside. */
    struct confirm confirms[KEYS_MAX];
    bool is_canceled, is_declined, asks_customer;
    int charges, shipments;
};

static uint32_t roll(struct life *life)
{
    life->seed ^= life->seed << 13; /* xorshift64 */
    life->seed ^= life->seed >> 7;
    life->seed ^= life->seed << 17;
    return (uint32_t)(life->seed >> 32);
}

static bool chance(struct life *life, unsigned percent)
{
    return roll(life) % 100 < percent;
}

#define MUST(life, condition)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail_msg("%s is not so (%s)", #condition, order_status_name((life)->facts.status));    \
    } while (0)

/* --- the provider ------------------------------------------------------------------------------
 */

static void let_time_pass(struct life *life, int64_t ms)
{
    life->now += ms;
    for (int key = 0; key < KEYS_MAX; key++) {
        struct confirm *confirm = &life->confirms[key];

        if (confirm->acts_at < 0 || confirm->acts_at > life->now)
            continue;
        confirm->acts_at = -1;
        if (!life->is_canceled)
            life->charges++;
    }
}

static void learn_fault(struct order_lesson *lesson, enum verdict verdict, enum fault_kind kind)
{
    lesson->verdict = verdict;
    fail_as(&lesson->fault, kind, "at_random", "the dice said so");
}

static void look_up(struct life *life, struct order_lesson *lesson)
{
    const struct order_facts *facts = &life->facts;
    bool is_open =
        facts->attempt_state == ATTEMPT_UNKNOWN || facts->attempt_state == ATTEMPT_AUTHORIZING;

    if (chance(life, 15))
        learn_fault(lesson, is_open ? VERDICT_PAYMENT_UNKNOWN : VERDICT_FAILED,
                    is_open ? FAULT_UNKNOWN : FAULT_TRANSIENT);
    else if (life->charges > 0)
        lesson->verdict = VERDICT_PAID;
    else if (life->is_canceled)
        lesson->verdict = VERDICT_VOIDED;
    else if (order_must_fence(facts, &policy)) {
        life->is_canceled = chance(life, 80);
        lesson->verdict = VERDICT_VOIDED;
        if (!life->is_canceled)
            learn_fault(lesson, is_open ? VERDICT_PAYMENT_UNKNOWN : VERDICT_FAILED,
                        is_open ? FAULT_UNKNOWN : FAULT_TRANSIENT);
    } else if (life->is_declined)
        lesson->verdict = VERDICT_DECLINED;
    else if (life->asks_customer)
        lesson->verdict = VERDICT_REQUIRES_ACTION;
    else if (facts->attempt_state == ATTEMPT_UNKNOWN && facts->since_sent_ms < LONGEST_MS)
        lesson->verdict = VERDICT_PAYMENT_OPEN;
    else
        lesson->verdict = VERDICT_INTENT_STORED;
}

/* What the caller sees says little about what was, is, or will be done. */
static void confirm(struct life *life, struct order_lesson *lesson)
{
    struct confirm *call = &life->confirms[life->facts.confirms % KEYS_MAX];
    bool is_new = !call->is_sent;

    call->is_sent = true;
    if (is_new && chance(life, 10)) {
        life->is_declined = true;
        lesson->verdict = VERDICT_DECLINED;
        return;
    }
    if (is_new && chance(life, 10))
        life->asks_customer = true;
    else if (is_new && chance(life, 70))
        call->acts_at = life->now + roll(life) % (LONGEST_MS - SEND_MS);
    let_time_pass(life, chance(life, 50) ? 0 : roll(life) % 30000);
    if (chance(life, 15))
        learn_fault(lesson, VERDICT_FAILED, FAULT_TRANSIENT);
    else if (life->charges > 0 && chance(life, 70))
        lesson->verdict = VERDICT_PAID;
    else
        learn_fault(lesson, VERDICT_PAYMENT_UNKNOWN, FAULT_UNKNOWN);
}

/* --- a worker ----------------------------------------------------------------------------------
 */

static void pay(struct life *life, bool is_stored, struct order_lesson *lesson)
{
    const struct order_facts *facts = &life->facts;

    if (facts->status == ORDER_OUT_OF_STOCK)
        lesson->verdict = VERDICT_NOTHING;
    else if (facts->held == 0 && facts->attempt_state <= ATTEMPT_CREATED)
        lesson->verdict = chance(life, 90) ? VERDICT_RESERVED : VERDICT_OUT_OF_STOCK;
    else if (facts->attempt_state == ATTEMPT_NONE)
        lesson->verdict = VERDICT_RESERVED;
    else if (facts->attempt_state == ATTEMPT_CREATED && chance(life, 20))
        learn_fault(lesson, VERDICT_FAILED, FAULT_TRANSIENT);
    else if (facts->attempt_state == ATTEMPT_CREATED)
        lesson->verdict = VERDICT_INTENT_STORED;
    else if (facts->attempt_state == ATTEMPT_VOIDED || facts->is_fenced)
        lesson->verdict = VERDICT_VOIDED;
    else if (is_stored)
        confirm(life, lesson);
    else
        look_up(life, lesson);
}

static void ship(struct life *life, struct order_lesson *lesson)
{
    MUST(life, life->charges == 1);
    if (chance(life, 20)) {
        learn_fault(lesson, VERDICT_FAILED, FAULT_TRANSIENT);
        return;
    }
    life->shipments = 1; /* the reference is unique */
    lesson->verdict = VERDICT_SHIPPED;
    if (chance(life, 20))
        learn_fault(lesson, VERDICT_SHIPMENT_UNKNOWN, FAULT_UNKNOWN);
}

static int64_t since(const struct life *life, int64_t then)
{
    return then < 0 ? -1 : life->now - then;
}

/* The customer holds the secret of a declined intent, and pays it past us. */
static void pay_past_us(struct life *life)
{
    if (life->is_declined && !life->is_canceled && life->charges == 0 && chance(life, 5))
        life->charges++;
}

static void claim(struct life *life)
{
    struct order_facts *facts = &life->facts;

    if (life->task == TASK_PARKED)
        let_time_pass(life, roll(life) % 600000); /* until it is let out */
    if (life->task == TASK_WAITING && life->due_at > life->now)
        let_time_pass(life, life->due_at - life->now);
    if (facts->status == ORDER_ACCEPTED)
        facts->status = ORDER_PROCESSING;
    facts->version++;
    pay_past_us(life);
    facts->since_sent_ms = since(life, life->sent_at);
    facts->since_opened_ms = since(life, life->opened_at);
    facts->since_unknown_ms = since(life, life->unknown_at);
    facts->since_ended_ms = since(life, life->ended_at);
    life->task = TASK_RUNNING;
}

/* As the books do: from the first time on, until it is over. */
static void note_time(const struct life *life, int64_t since_ms, int64_t *then)
{
    if (since_ms < 0)
        *then = -1;
    else if (*then < 0)
        *then = life->now;
}

static void write_down(struct life *life, const struct order_lesson *lesson,
                       struct order_change *change)
{
    struct order_facts *facts = &life->facts;
    enum order_status before = facts->status;
    int32_t version = facts->version;
    int16_t confirms = facts->confirms;

    order_decide(facts, lesson, &policy, roll(life), change);
    MUST(life, before == change->status || order_status_is_edge(before, change->status));
    if (change->attempt_number != 0 && facts->attempt_number == 0)
        life->opened_at = life->now;
    order_apply(facts, change);
    MUST(life, facts->version == version + 1 && facts->confirms >= confirms);
    if (change->is_sending)
        life->sent_at = life->now;
    note_time(life, facts->since_unknown_ms, &life->unknown_at);
    note_time(life, facts->since_ended_ms, &life->ended_at);
    if (lesson->verdict == VERDICT_RESERVED && !change->is_dead)
        facts->held = 1;
    if (facts->status == ORDER_CONFIRMED && before != ORDER_CONFIRMED) {
        MUST(life, !life->was_paid && life->charges == 1 && facts->held == 1);
        life->was_paid = true;
    }
    life->task = change->task_state;
    life->due_at = life->now + change->due_ms;
    if (change->next != STAGE_NONE && change->next != facts->stage) {
        facts->stage = change->next;
        facts->attempt = 0;
        life->task = TASK_READY;
    }
}

/* What was called failed with it; else nothing is called. */
static void meet_outage(struct life *life, struct order_lesson *lesson)
{
    const struct order_facts *facts = &life->facts;

    if (lesson->verdict == VERDICT_FAILED || lesson->verdict == VERDICT_PAYMENT_UNKNOWN ||
        lesson->verdict == VERDICT_SHIPMENT_UNKNOWN)
        lesson->is_outage = true;
    else if (facts->attempt_state == ATTEMPT_UNKNOWN && lesson->verdict == VERDICT_PAYMENT_OPEN)
        learn_fault(lesson, VERDICT_HELD, FAULT_UNKNOWN);
    else if (facts->attempt_state == ATTEMPT_CREATED && lesson->verdict == VERDICT_INTENT_STORED)
        learn_fault(lesson, VERDICT_HELD, FAULT_TRANSIENT);
}

/* From a claim to the end of the run, or to a crash. */
static void work(struct life *life)
{
    struct order_change change = {.keeps_running = true};
    struct order_lesson lesson = {.retry_after_ms = -1};
    bool is_stored = false;

    claim(life);
    while (change.keeps_running) {
        if (!change.is_halfway) {
            lesson = (struct order_lesson){.retry_after_ms = -1, .intent_id = "pi_1"};
            if (life->facts.stage == STAGE_PAYMENT)
                pay(life, is_stored, &lesson);
            else
                ship(life, &lesson);
        }
        if (chance(life, 5) && !change.is_halfway) /* the provider is away */
            meet_outage(life, &lesson);
        is_stored = lesson.verdict == VERDICT_INTENT_STORED;
        if (chance(life, 3)) /* killed between the call and its commit */
            return;
        write_down(life, &lesson, &change);
        let_time_pass(life, roll(life) % 50);
        if (chance(life, 3)) /* … or after it */
            return;
    }
}

static bool is_over(const struct life *life)
{
    return life->task == TASK_DEAD || (life->task == TASK_DONE && life->due_at <= life->now);
}

static void begin(struct life *life, uint64_t seed)
{
    *life = (struct life){.seed = seed * 0x9e3779b97f4a7c15U + 1,
                          .now = 1000,
                          .task = TASK_READY,
                          .sent_at = -1,
                          .opened_at = -1,
                          .unknown_at = -1,
                          .ended_at = -1};
    life->facts = (struct order_facts){.version = 1,
                                       .status = ORDER_ACCEPTED,
                                       .total = 100,
                                       .stage = STAGE_PAYMENT,
                                       .since_sent_ms = -1,
                                       .since_opened_ms = -1,
                                       .since_unknown_ms = -1,
                                       .since_ended_ms = -1};
    for (int key = 0; key < KEYS_MAX; key++)
        life->confirms[key].acts_at = -1;
}

static void live(struct life *life)
{
    for (int turn = 0; turn < TURNS_MAX && !is_over(life); turn++)
        work(life);
    MUST(life, is_over(life));
    let_time_pass(life, (int64_t)2 * LONGEST_MS); /* what is still under way */
    MUST(life, life->charges <= 1);
    MUST(life, life->shipments <= life->charges);
    MUST(life, (life->facts.status == ORDER_FULFILLED) == (life->shipments == 1) ||
                   life->task == TASK_DEAD);
    if (life->facts.status == ORDER_CANCELED)
        MUST(life, life->charges == 0);
    if (life->task == TASK_DONE)
        MUST(life, order_status_is_final(life->facts.status));
}

static void no_order_is_paid_twice_nor_shipped_unpaid_and_each_comes_to_an_end(void **state)
{
    int ends[ORDER_REFUNDED + 1] = {0}, dead = 0;
    struct life life;

    (void)state;
    for (uint64_t seed = 1; seed <= LIVES; seed++) {
        begin(&life, seed);
        live(&life);
        ends[life.facts.status] += life.task != TASK_DEAD;
        dead += life.task == TASK_DEAD;
    }
    printf("fulfilled %d, canceled %d, dead letters %d\n", ends[ORDER_FULFILLED],
           ends[ORDER_CANCELED], dead);
    assert_in_range(ends[ORDER_FULFILLED], LIVES / 4, LIVES);
    assert_in_range(ends[ORDER_CANCELED], LIVES / 10, LIVES);
    assert_in_range(dead, 1, LIVES / 4);
    assert_int_equal(ends[ORDER_FULFILLED] + ends[ORDER_CANCELED] + dead, LIVES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_order_is_paid_twice_nor_shipped_unpaid_and_each_comes_to_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
