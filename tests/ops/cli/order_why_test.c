#include "ops/cli/order_why.h"
#include "tests/schema/decisions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void must_have_a_sentence(enum order_status status, const char *reason, enum stage stage,
                                 enum task_state state)
{
    char text[1024];
    const struct why_facts facts = {
        .status = order_status_name(status),
        .reason = reason,
        .stage = state == TASK_DONE ? "" : stage_name(stage),
        .task_state = task_state_name(state),
        .since = "12:00",
        .due = "in 5 s",
        .letter = state == TASK_DEAD ? 7 : 0,
    };

    if (!order_why(&facts, text, sizeof(text)))
        fail_msg("no sentence for %s, \"%s\", %s %s", facts.status, reason, facts.stage,
                 facts.task_state);
}

/* What is left behind, and what follows by itself: due or swept, claimed, parked by a breaker. */
static void check(const struct order_facts *facts, const struct order_change *change)
{
    enum stage stage = change->next ? change->next : facts->stage;

    if (change->is_final || order_status_is_final(change->status))
        return;
    if (change->next == STAGE_NONE)
        must_have_a_sentence(change->status, change->reason, stage, change->task_state);
    for (int state = TASK_READY; state <= TASK_PARKED; state++)
        must_have_a_sentence(change->status, change->reason, stage, (enum task_state)state);
}

static void says_why_whatever_order_decide_leaves_behind(void **state)
{
    (void)state;
    assert_true(decisions_for_all(check) > 10000);
}

static void says_why_a_new_order_waits(void **state)
{
    (void)state;
    for (int task = TASK_READY; task <= TASK_PARKED; task++)
        must_have_a_sentence(ORDER_ACCEPTED, "", STAGE_PAYMENT, (enum task_state)task);
}

static void has_no_sentence_for_what_it_does_not_know(void **state)
{
    struct why_facts facts = {.status = "processing",
                              .reason = "nobody_knows",
                              .stage = "payment",
                              .task_state = "ready",
                              .since = "",
                              .due = ""};
    char text[64];

    (void)state;
    assert_false(order_why(&facts, text, sizeof(text)));
    assert_null(order_why_waits(&facts));
    facts.reason = "";
    facts.task_state = "asleep";
    assert_false(order_why(&facts, text, sizeof(text)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_why_whatever_order_decide_leaves_behind),
        cmocka_unit_test(says_why_a_new_order_waits),
        cmocka_unit_test(has_no_sentence_for_what_it_does_not_know),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
