/* Whatever an order may wait for, a shop knows what to tell its customer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "schema/reasons.h"
#include "tests/schema/decisions.h"

#include <cmocka.h> /* last: its fail() would hide ours */

static void must_have_a_row(enum order_status status, const char *reason)
{
    const char *name = order_status_name(status);
    const struct reason *row = reason_of(name, reason);

    if (row == NULL) {
        fail_msg("order_decide leaves an order %s with the reason \"%s\", and schema/reasons.c has "
                 "no row of that name: add one (what may the customer be told? whose turn is "
                 "it?), then run python3 ops/lib/reasons.py",
                 name, reason);
        return;
    }
    if (strcmp(row->name, *reason ? reason : name) != 0 || *row->customer == '\0')
        fail_msg("the row of \"%s\" is \"%s\": \"%s\"", reason, row->name, row->customer);
}

static void check(const struct order_facts *facts, const struct order_change *change)
{
    (void)facts;
    must_have_a_row(change->status, change->reason);
}

static void whatever_order_decide_leaves_behind_has_words_for_the_customer(void **state)
{
    (void)state;
    assert_true(decisions_for_all(check) > 10000);
}

static void so_has_every_status(void **state)
{
    (void)state;
    for (int status = ORDER_ACCEPTED; status <= ORDER_REFUNDED; status++)
        must_have_a_row((enum order_status)status, "");
}

/* A shop that shows a button does it where the customer is waited for, and nowhere else. */
static void see_turn(const struct order_facts *facts, const struct order_change *change)
{
    const struct reason *row = reason_of(order_status_name(change->status), change->reason);

    (void)facts;
    if (row && row->turn == REASON_ACT && change->status != ORDER_REQUIRES_ACTION &&
        change->status != ORDER_PAYMENT_FAILED)
        fail_msg("\"%s\" asks the customer to act while the order is %s", change->reason,
                 order_status_name(change->status));
}

static void the_customer_is_asked_only_where_the_order_waits_for_him(void **state)
{
    (void)state;
    decisions_for_all(see_turn);
}

static void what_is_no_reason_has_no_words(void **state)
{
    (void)state;
    assert_null(reason_of("accepted", "nobody_knows"));
    assert_null(reason_of("?", ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_order_decide_leaves_behind_has_words_for_the_customer),
        cmocka_unit_test(so_has_every_status),
        cmocka_unit_test(the_customer_is_asked_only_where_the_order_waits_for_him),
        cmocka_unit_test(what_is_no_reason_has_no_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
