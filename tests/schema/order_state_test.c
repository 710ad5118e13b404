/* Every verdict in every state: the one function that moves an order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "schema/order_state.h"
#include "tests/schema/lesson.h"

#include <cmocka.h> /* last: its fail() would hide ours */

enum { STATUSES = ORDER_REFUNDED + 1, ATTEMPTS = ATTEMPT_INTEGRITY_FAILURE + 1 };
enum { VERDICTS = VERDICT_NOTHING + 1 };

/* The picture in DESIGN §5, in words of its own. */
static const struct edge {
    const char *from, *to;
} diagram[] = {
    {"accepted", "processing"},       {"processing", "confirmed"},
    {"confirmed", "fulfilled"},       {"processing", "requires_action"},
    {"processing", "payment_failed"}, {"processing", "out_of_stock"},
    {"processing", "on_hold"},        {"requires_action", "processing"},
    {"payment_failed", "processing"}, {"requires_action", "canceled"},
    {"payment_failed", "canceled"},   {"out_of_stock", "canceled"},
    {"on_hold", "processing"},        {"on_hold", "confirmed"},
    {"on_hold", "canceled"},          {"accepted", "canceling"},
    {"processing", "canceling"},      {"confirmed", "canceling"},
    {"requires_action", "canceling"}, {"payment_failed", "canceling"},
    {"on_hold", "canceling"},         {"canceling", "canceled"},
    {"canceling", "refunded"},        {"confirmed", "refunding"},
    {"refunding", "refunded"},        {"canceling", "fulfilled"},
    {"canceling", "on_hold"},         {"refunding", "on_hold"},
    {"on_hold", "refunding"},
};

static bool is_in_diagram(const char *from, const char *to)
{
    for (size_t i = 0; i < ARRAY_SIZE(diagram); i++)
        if (strcmp(diagram[i].from, from) == 0 && strcmp(diagram[i].to, to) == 0)
            return true;
    return false;
}

static void the_edges_are_those_of_the_diagram(void **state)
{
    (void)state;
    for (int from = 0; from < STATUSES + 2; from++) {
        for (int to = 0; to < STATUSES + 2; to++) {
            const char *a = order_status_name((enum order_status)from);
            const char *b = order_status_name((enum order_status)to);

            if (order_status_is_edge((enum order_status)from, (enum order_status)to) !=
                is_in_diagram(a, b))
                fail_msg("%s → %s: the code and the diagram differ", a, b);
        }
    }
}

static void what_is_final_has_no_edge_and_nothing_else_is_final(void **state)
{
    (void)state;
    for (int status = ORDER_ACCEPTED; status < STATUSES; status++) {
        bool leads_on = false;

        for (int to = ORDER_ACCEPTED; to < STATUSES; to++)
            leads_on |= order_status_is_edge((enum order_status)status, (enum order_status)to);
        assert_int_equal(order_status_is_final((enum order_status)status), !leads_on);
    }
}

static void every_state_has_a_name_of_its_own(void **state)
{
    enum stage stage;

    (void)state;
    for (int a = ORDER_ACCEPTED; a < STATUSES; a++) {
        assert_string_not_equal(order_status_name((enum order_status)a), "?");
        for (int b = a + 1; b < STATUSES; b++)
            assert_string_not_equal(order_status_name((enum order_status)a),
                                    order_status_name((enum order_status)b));
    }
    for (int task = TASK_READY; task <= TASK_DEAD; task++)
        assert_string_not_equal(task_state_name((enum task_state)task), "?");
    assert_string_equal(order_status_name((enum order_status)0), "?");
    assert_string_equal(order_status_name((enum order_status)STATUSES), "?");
    assert_string_equal(task_state_name((enum task_state)0), "?");
    assert_string_equal(task_state_name((enum task_state)(TASK_DEAD + 1)), "?");
    assert_true(stage_parse("payment", &stage) && stage == STAGE_PAYMENT);
    assert_true(stage_parse("fulfilment", &stage) && stage == STAGE_FULFILMENT);
    assert_false(stage_parse("none", &stage) || stage_parse("", &stage) ||
                 stage_parse("Payment", &stage));
}

/* --- every verdict in every state --------------------------------------------------------------
 */

static bool is_open(enum attempt_state state)
{
    return state == ATTEMPT_CREATED || state == ATTEMPT_AUTHORIZING ||
           state == ATTEMPT_REQUIRES_ACTION || state == ATTEMPT_UNKNOWN;
}

/* All that may ever be in the books, and much that may not. */
static bool next_facts(struct order_facts *facts, unsigned n)
{
    static const int64_t ages[] = {-1, 0, LONGEST_MS - 1, LONGEST_MS, SLA_MS + 1};
    enum attempt_state attempt = (enum attempt_state)(n / STATUSES % ATTEMPTS);
    unsigned rest = n / STATUSES / ATTEMPTS;
    bool has_sent = ages[rest / 4 % ARRAY_SIZE(ages)] >= 0;

    if (rest >= 4 * ARRAY_SIZE(ages) * 2 * 2)
        return false;
    *facts = (struct order_facts){
        .version = 7,
        .status = (enum order_status)(n % STATUSES),
        .total = 100,
        .stage = rest / 4 / ARRAY_SIZE(ages) % 2 == 0 ? STAGE_PAYMENT : STAGE_FULFILMENT,
        .attempt = rest % 4 < 2 ? 0 : 11,
        .doubted = rest % 4 < 2 ? 0 : 2,
        .claims = 1,
        .attempt_number = (int16_t)(attempt != ATTEMPT_NONE),
        .attempt_state = attempt,
        .intent_id = "pi_1",
        .confirms = has_sent,
        .since_sent_ms = ages[rest / 4 % ARRAY_SIZE(ages)],
        .since_opened_ms = attempt == ATTEMPT_NONE ? -1 : 1000,
        .since_unknown_ms = attempt == ATTEMPT_UNKNOWN ? ages[rest / 4 % ARRAY_SIZE(ages)] : -1,
        .since_ended_ms = attempt == ATTEMPT_DECLINED || attempt == ATTEMPT_VOIDED
                              ? (rest % 2 ? 1000 : WAIT_MS)
                              : -1,
        .is_fenced = attempt == ATTEMPT_VOIDED ||
                     (attempt == ATTEMPT_DECLINED && rest / 4 / ARRAY_SIZE(ages) / 2 == 0),
        .held = rest % 2 ? 3 : 0,
    };
    return true;
}

static void check(const struct order_facts *facts, const struct order_lesson *lesson,
                  void (*must)(const struct order_facts *, const struct order_lesson *,
                               const struct order_change *))
{
    struct order_change change;

    order_decide(facts, lesson, &usual_policy, 12345, &change);
    must(facts, lesson, &change);
}

/* Each in every state, as the task's own failure and as the outage's. */
static void for_all(void (*must)(const struct order_facts *, const struct order_lesson *,
                                 const struct order_change *))
{
    struct order_facts facts;

    for (unsigned n = 0; next_facts(&facts, n); n++) {
        if (facts.status < ORDER_ACCEPTED)
            continue;
        for (int verdict = 0; verdict < VERDICTS; verdict++) {
            struct order_lesson lesson = lesson_of((enum verdict)verdict);

            check(&facts, &lesson, must);
            lesson.is_outage = true;
            check(&facts, &lesson, must);
        }
    }
}

#define SAY(facts, lesson, what)                                                                   \
    fail_msg("verdict %d at %s, attempt %d, held %d: %s", (int)(lesson)->verdict,                  \
             order_status_name((facts)->status), (int)(facts)->attempt_state, (int)(facts)->held,  \
             what)

static enum attempt_state attempt_after(const struct order_facts *facts,
                                        const struct order_change *change)
{
    return change->attempt_number ? change->attempt_state : facts->attempt_state;
}

static void moves_along_an_edge(const struct order_facts *facts, const struct order_lesson *lesson,
                                const struct order_change *change)
{
    if (change->status != facts->status && !order_status_is_edge(facts->status, change->status))
        SAY(facts, lesson, "no such edge");
    if (change->is_final != order_status_is_final(change->status))
        SAY(facts, lesson, "final is not what the status says");
}

static void each_change_is_an_edge_or_no_move(void **state)
{
    (void)state;
    for_all(moves_along_an_edge);
}

/* `running` with a worker, or at rest with whatever wakes it. */
static void leaves_a_whole_task(const struct order_facts *facts, const struct order_lesson *lesson,
                                const struct order_change *change)
{
    if (change->keeps_running != (change->task_state == TASK_RUNNING))
        SAY(facts, lesson, "running without a worker, or a worker without a task");
    if ((change->task_state == TASK_DEAD) != change->is_dead)
        SAY(facts, lesson, "dead without a dead letter, or the other way round");
    if (change->is_dead && (change->fault == NULL || change->fault->kind == FAULT_NONE))
        SAY(facts, lesson, "a dead letter that says nothing");
    if (change->task_state == TASK_WAITING && change->due_ms < 1)
        SAY(facts, lesson, "waits for nothing");
    if (change->task_state == TASK_READY && change->next != facts->stage)
        SAY(facts, lesson, "ready, and nobody is told");
    if (change->event[0] == '\0')
        SAY(facts, lesson, "nothing in the timeline");
    if (change->is_halfway && !change->keeps_running)
        SAY(facts, lesson, "rests half-way");
    if (change->task_state == TASK_DONE && facts->stage == STAGE_PAYMENT &&
        order_status_is_edge(change->status, ORDER_PROCESSING))
        SAY(facts, lesson, "nobody goes on with the payment");
    if (change->task_state == TASK_DONE && facts->stage == STAGE_FULFILMENT &&
        change->status == ORDER_CONFIRMED)
        SAY(facts, lesson, "nobody goes on with the shipment");
}

static void each_task_runs_or_rests_with_what_wakes_it(void **state)
{
    (void)state;
    for_all(leaves_a_whole_task);
}

static void ends_clean(const struct order_facts *facts, const struct order_lesson *lesson,
                       const struct order_change *change)
{
    if (!change->is_final || order_status_is_final(facts->status))
        return;
    if (is_open(attempt_after(facts, change)))
        SAY(facts, lesson, "final, and a payment is open");
    if (change->task_state != TASK_DONE)
        SAY(facts, lesson, "final, and its task goes on");
    if (facts->held > 0 && change->stock == STOCK_KEPT)
        SAY(facts, lesson, "final, and holds stock");
}

static void from_status_canceling(const struct order_facts *facts,
                                  const struct order_lesson *lesson,
                                  const struct order_change *change)
{
    if (facts->status != ORDER_OUT_OF_STOCK) /* its attempt and stock ended a step before */
        ends_clean(facts, lesson, change);
}

static void no_order_ends_with_an_open_payment_or_held_stock(void **state)
{
    (void)state;
    for_all(from_status_canceling);
}

static void keeps_money_and_goods_together(const struct order_facts *facts,
                                           const struct order_lesson *lesson,
                                           const struct order_change *change)
{
    if (change->status == ORDER_CONFIRMED && facts->status != ORDER_CONFIRMED &&
        (facts->held == 0 || attempt_after(facts, change) != ATTEMPT_CAPTURED ||
         change->next != STAGE_FULFILMENT))
        SAY(facts, lesson, "confirmed without stock, money, or a next step");
    if (change->is_sending && facts->held == 0)
        SAY(facts, lesson, "asks for money without stock");
    if (change->writes_shipment && facts->attempt_state != ATTEMPT_CAPTURED)
        SAY(facts, lesson, "ships what is not paid");
    if (change->stock == STOCK_RETURNED && (attempt_after(facts, change) == ATTEMPT_UNKNOWN ||
                                            attempt_after(facts, change) == ATTEMPT_CAPTURED))
        SAY(facts, lesson, "gives stock back while money may have moved");
    if (change->stock == STOCK_RETURNED && facts->attempt_number != 0 && !change->is_fenced)
        SAY(facts, lesson, "gives stock back while the intent can still be paid");
    if (change->status == ORDER_OUT_OF_STOCK && facts->status != ORDER_OUT_OF_STOCK &&
        (is_open(attempt_after(facts, change)) || facts->held > 0))
        SAY(facts, lesson, "out of stock with an open payment, or with stock");
    if (change->is_captured && lesson->verdict != VERDICT_PAID)
        SAY(facts, lesson, "captured, and nobody said so");
}

static void money_is_not_asked_for_without_stock_nor_goods_sent_without_money(void **state)
{
    (void)state;
    for_all(keeps_money_and_goods_together);
}

/* A confirm's key is a promise that one call at most is in flight under another. */
static void keeps_its_key(const struct order_facts *facts, const struct order_lesson *lesson,
                          const struct order_change *change)
{
    int confirms = change->attempt_number ? change->confirms : facts->confirms;
    bool may_rise = lesson->verdict == VERDICT_INTENT_STORED &&
                    (facts->since_sent_ms < 0 || facts->since_sent_ms >= LONGEST_MS);

    if (confirms < facts->confirms || confirms > facts->confirms + may_rise)
        SAY(facts, lesson, "the key of the next confirm is another");
    if (change->is_sending && confirms == 0)
        SAY(facts, lesson, "a confirm without a key");
}

static void the_key_of_a_confirm_changes_only_past_the_longest_call(void **state)
{
    (void)state;
    for_all(keeps_its_key);
}

/* The payment of an order that is being undone, or was: its step ends, whatever it meets. */
static bool is_overruled(const struct order_facts *facts)
{
    return facts->status >= ORDER_CANCELING &&
           (facts->stage == STAGE_PAYMENT || facts->status != ORDER_CANCELING);
}

static void counts_honestly(const struct order_facts *facts, const struct order_lesson *lesson,
                            const struct order_change *change)
{
    bool counts = !lesson->is_outage && (lesson->verdict == VERDICT_FAILED ||
                                         lesson->verdict == VERDICT_PAYMENT_UNKNOWN ||
                                         lesson->verdict == VERDICT_SHIPMENT_UNKNOWN);
    bool ends = change->task_state == TASK_DONE;
    bool settles =
        lesson->verdict == VERDICT_DECLINED ||
        (lesson->verdict == VERDICT_INTENT_STORED && facts->attempt_state == ATTEMPT_UNKNOWN);

    bool takes_back = facts->doubted > 0 && change->task_state == TASK_PARKED;

    if (change->task_attempt != facts->attempt && !counts && !ends && !settles && !takes_back)
        SAY(facts, lesson, "counts an attempt that did not fail");
    if (lesson->verdict == VERDICT_FAILED && !lesson->is_outage && !ends &&
        change->task_attempt != facts->attempt + 1)
        SAY(facts, lesson, "does not count");
    if (lesson->verdict == VERDICT_INTERRUPTED && !is_overruled(facts) &&
        (change->task_attempt != facts->attempt || change->task_state != TASK_READY))
        SAY(facts, lesson, "an interruption counts, or is not made good");
}

static void only_failures_count(void **state)
{
    (void)state;
    for_all(counts_honestly);
}

/* Nothing but the relay's letting out ends it, so nothing may be counted or forgotten meanwhile. */
static void rests_parked(const struct order_facts *facts, const struct order_lesson *lesson,
                         const struct order_change *change)
{
    bool is_parking =
        lesson->verdict == VERDICT_HELD || (lesson->is_outage && lesson->verdict == VERDICT_FAILED);

    if (!is_parking || is_overruled(facts))
        return;
    if (change->task_state != TASK_PARKED || change->keeps_running || change->next != STAGE_NONE)
        SAY(facts, lesson, "is not parked");
    if (change->task_attempt != facts->attempt - facts->doubted || change->task_doubted != 0)
        SAY(facts, lesson, "counts an outage, or does not take back what was in doubt");
    if (change->reason[0] == '\0' || change->stock != STOCK_KEPT)
        SAY(facts, lesson, "parked without a reason, or without its stock");
    if (attempt_after(facts, change) != facts->attempt_state)
        SAY(facts, lesson, "learns of a payment from an outage");
    if (facts->stage == STAGE_PAYMENT && facts->status == ORDER_PROCESSING &&
        facts->attempt_state == ATTEMPT_UNKNOWN &&
        strcmp(change->reason, "payment_outcome_unknown") != 0)
        SAY(facts, lesson, "an unknown payment that is known all at once");
}

static void an_outage_parks_counts_nothing_and_settles_nothing(void **state)
{
    (void)state;
    for_all(rests_parked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_edges_are_those_of_the_diagram),
        cmocka_unit_test(what_is_final_has_no_edge_and_nothing_else_is_final),
        cmocka_unit_test(every_state_has_a_name_of_its_own),
        cmocka_unit_test(each_change_is_an_edge_or_no_move),
        cmocka_unit_test(each_task_runs_or_rests_with_what_wakes_it),
        cmocka_unit_test(no_order_ends_with_an_open_payment_or_held_stock),
        cmocka_unit_test(money_is_not_asked_for_without_stock_nor_goods_sent_without_money),
        cmocka_unit_test(the_key_of_a_confirm_changes_only_past_the_longest_call),
        cmocka_unit_test(only_failures_count),
        cmocka_unit_test(an_outage_parks_counts_nothing_and_settles_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
