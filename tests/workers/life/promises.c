/* What was promised, after each step, in words of its own: nothing here asks the code that is
 * tested.
 *
 * What no life can tell, since nothing comes of it: an event that is heard twice (it is a hint, and
 * what it says is never written; that it is heard once is test_pinelab_studio_620), a confirm that
 * is sent again early under its own key (it is the same confirm), a capture that the payment's step
 * learns of an order that is being canceled and does not write (the cancel looks, and finds it).
 */
#include <stdio.h>
#include <string.h>

#include "tests/workers/life/books.h"
#include "tests/workers/life/inside.h"
#include "tests/workers/life/intents.h"
#include "tests/workers/life/model.h"
#include "tests/workers/life/refunds.h"

/* --- at the moment of a call -------------------------------------------------------------------
 */

static const struct attempt *last_attempt(const struct book *book)
{
    return book->attempt_count > 0 ? &book->attempts[book->attempt_count - 1] : NULL;
}

/* The books hold the intent, and that it was to be confirmed, before any money moves by it; and no
 * more of it once somebody has settled what became of it. */
bool promises_may_charge(int order, const char *intent)
{
    const struct book *book = &world.books[order];

    for (int i = 0; i < book->attempt_count; i++)
        if (strcmp(book->attempts[i].intent, intent) == 0)
            return book->attempts[i].sent_ms >= 0 &&
                   book->attempts[i].resolution == RESOLUTION_NONE;
    return false;
}

/* Nothing is asked of the provider for an order that is held as a possible duplicate. */
bool promises_may_create(int order)
{
    return world.books[order].duplicate != DUPLICATE_FLAGGED;
}

/* Whoever had read the order before it was taken back may still ask, but not for long; and before
 * it was shipped: the carrier knows it by our reference.  Two guards keep what is not captured from
 * being shipped (learn_unpaid() and makes_sense()), and no life reaches either: an order is
 * confirmed by the change that captures it.  order_state_test.c shows the second, and of a change
 * without its capture the lives say so here. */
bool promises_may_ship(int order)
{
    const struct book *book = &world.books[order];
    bool is_just_canceled = (book->status == ORDER_CANCELING || book->status == ORDER_ON_HOLD) &&
                            book->undo == UNDO_CANCEL &&
                            world.now_ms - book->undo_ms < WORLD_LONGEST_CALL_MS;
    bool is_refused = book->undo == UNDO_UNDELIVERABLE; /* there, for good: it will be again */
    const struct attempt *attempt = last_attempt(&world.books[order]);

    return (book->status == ORDER_CONFIRMED || book->status == ORDER_FULFILLED ||
            is_just_canceled || is_refused) &&
           attempt && attempt->is_captured;
}

/* A customer is not cut off before his time, nor a payment before it is unknown for too long: since
 * somebody found out, or since it was asked for, of which a worker that is slow may know only that.
 */
bool promises_may_fence(int order)
{
    const struct book *book = &world.books[order];
    const struct attempt *attempt = last_attempt(book);
    bool is_found_out = attempt->unknown_ms >= 0 && attempt->unknown_ms < attempt->sent_ms;
    int64_t unknown_ms = is_found_out ? attempt->unknown_ms : attempt->sent_ms;

    if (attempt->is_given_up)
        return true;
    if (book->status == ORDER_REQUIRES_ACTION)
        return world.now_ms - attempt->opened_ms >= WORLD_WAIT_MS;
    if (book->status == ORDER_PROCESSING || book->status == ORDER_ON_HOLD)
        return unknown_ms >= 0 && world.now_ms - unknown_ms > WORLD_SLA_MS;
    return true;
}

/* --- at the moment of a commit -----------------------------------------------------------------
 */

/* An attempt is over without the provider's word only where nobody was asked under it, and that is
 * why the order itself comes to an end. */
static void check_voided(const struct job *job, const struct order_change *change)
{
    const struct book *book = &world.books[job->order];
    const struct attempt *attempt = &book->attempts[change->attempt_number - 1];
    bool ends = book->undo != UNDO_NONE || change->status == ORDER_OUT_OF_STOCK;

    if (attempt->resolution != RESOLUTION_NONE || attempt->state == ATTEMPT_VOIDED)
        return;
    if (attempt->intent[0] == '\0' ? !ends : !intents_is_canceled(attempt->intent))
        world_break("attempt %d of order %d is over, and nobody has said so",
                    change->attempt_number, job->order);
}

static bool is_open(enum attempt_state state)
{
    return state == ATTEMPT_CREATED || state == ATTEMPT_AUTHORIZING ||
           state == ATTEMPT_REQUIRES_ACTION || state == ATTEMPT_UNKNOWN ||
           state == ATTEMPT_INTEGRITY_FAILURE;
}

static bool is_undone(enum order_status status)
{
    return status == ORDER_CANCELING || status == ORDER_CANCELED || status == ORDER_REFUNDING ||
           status == ORDER_REFUNDED;
}

void promises_note_call(int operation)
{
    world.caller->asked = operation;
}

/* What became of the last call is for the provider to say: there was no answer, or none that says.
 */
static bool is_unanswered(const struct job *job)
{
    const char *code = job->lesson.fault.code;

    return (job->is_interrupted && job->has_call) || strcmp(code, "timeout") == 0 ||
           strcmp(code, "api_error") == 0;
}

/* Money may have moved, and the books say so; a payment of an order that is being undone is looked
 * up by its cancel. */
static void check_unknown(const struct job *job, const struct order_change *change)
{
    enum order_status status = world.books[job->order].status;
    bool is_confirm = job->stage == STAGE_PAYMENT && job->asked == PAYMENT_CONFIRM;
    bool is_refund = job->stage == STAGE_REFUND && job->asked == PAYMENT_REFUND;

    if (!is_unanswered(job) || change->is_halfway)
        return;
    if (is_confirm && !is_undone(status) && change->attempt_state != ATTEMPT_UNKNOWN)
        world_break("order %d may be paid, and its payment is %s", job->order,
                    attempt_state_name(change->attempt_state));
    if (is_refund && change->refund_state != REFUND_UNKNOWN)
        world_break("order %d may have its money back, and the books do not say so", job->order);
}

/* What an operator has said of an open payment is what becomes of it, whatever a worker had learnt.
 */
static void check_settled(const struct job *job, const struct order_change *change)
{
    static const enum attempt_state settled[] = {[RESOLUTION_CAPTURED] = ATTEMPT_CAPTURED,
                                                 [RESOLUTION_DECLINED] = ATTEMPT_DECLINED,
                                                 [RESOLUTION_CANCELED] = ATTEMPT_VOIDED};
    const struct attempt *attempt = last_attempt(&world.books[job->order]);

    if (attempt && attempt->resolution != RESOLUTION_NONE && is_open(attempt->state) &&
        job->stage == STAGE_PAYMENT && change->attempt_number != 0 &&
        !is_undone(world.books[job->order].status) &&
        change->attempt_state != settled[attempt->resolution])
        world_break("order %d is settled by an operator, and its payment is %s", job->order,
                    attempt_state_name(change->attempt_state));
}

/* No payment is declined and no refund refused but by the provider, or an operator's word. */
static void check_refused(const struct job *job, const struct order_change *change)
{
    const struct book *book = &world.books[job->order];
    char ours[64];

    snprintf(ours, sizeof(ours), "%s-%d", book->public_id, change->refund_number);
    if (change->refund_number > 0 && change->refund_state == REFUND_REFUSED &&
        !refunds_failed(ours))
        world_break("refund %d of order %d is refused, and nobody has said so",
                    change->refund_number, job->order);
    if (change->attempt_number > 0 && change->attempt_state == ATTEMPT_DECLINED &&
        book->attempts[change->attempt_number - 1].resolution == RESOLUTION_NONE &&
        !intents_was_declined(book->attempts[change->attempt_number - 1].intent))
        world_break("order %d is declined, and nobody has said so", job->order);
}

/* An outage fills no dead letter and burns no attempt. */
void promises_check_change(const struct job *job, const struct order_change *change)
{
    bool is_passing =
        job->lesson.fault.kind == FAULT_TRANSIENT || job->lesson.fault.kind == FAULT_UNKNOWN;
    bool is_outage = job->lesson.is_outage && is_passing && change->fault == &job->lesson.fault;

    if (change->task_state == TASK_PARKED && change->task_attempt > job->facts.attempt)
        world_break("order %d waits for the outside, and is counted an attempt", job->order);
    if (job->began_given_up && job->lesson.verdict == VERDICT_REQUIRES_ACTION)
        world_break("order %d is to be paid otherwise, and its customer is still waited for",
                    job->order);
    if (change->attempt_number > 0 && change->attempt_state == ATTEMPT_VOIDED)
        check_voided(job, change);
    check_settled(job, change);
    check_unknown(job, change);
    check_refused(job, change);
    if (is_outage && change->is_dead)
        world_break("order %d is a dead letter, because of an outage", job->order);
    if (is_outage && change->task_attempt > job->facts.attempt)
        world_break("order %d is counted an attempt, because of an outage", job->order);
}

/* --- after each step ---------------------------------------------------------------------------
 */

static void check_order(int order)
{
    const struct book *book = &world.books[order];
    int charges = intents_charges(order);

    if (charges > 1)
        world_break("order %d was charged %d times", order, charges);
    if (book->is_shipped && charges != 1)
        world_break("order %d is shipped and charged %d times", order, charges);
    if (book->status == ORDER_FULFILLED && !model_shipments(order))
        world_break("order %d is fulfilled, and the carrier knows nothing of it", order);
    if (book->status == ORDER_CONFIRMED && charges == 0)
        world_break("order %d is confirmed, and nobody paid", order);
    if (book->status == ORDER_CANCELED && !intents_owes_nothing(order) &&
        book->tasks[STAGE_PAYMENT].state != TASK_DEAD)
        world_break("order %d is canceled, its money is kept, and nobody looks", order);
    if (order_status_is_final(book->status) && book->held != 0)
        world_break("order %d is over and holds stock", order);
}

static void check_refunds(int order)
{
    const struct book *book = &world.books[order];
    int64_t asked_for = 0, captured = 0;
    char ours[64];

    if (intents_kept(order) < 0)
        world_break("order %d was given back more than was taken", order);
    for (int i = 0; i < book->refund_count; i++) {
        snprintf(ours, sizeof(ours), "%s-%d", book->public_id, i + 1);
        if (refunds_named(ours) > 1)
            world_break("refund %d of order %d was made %d times", i + 1, order,
                        refunds_named(ours));
        if (book->refunds[i].state == REFUND_MADE && refunds_named(ours) != 1)
            world_break("refund %d of order %d is made, and the provider knows nothing of it",
                        i + 1, order);
        asked_for += book->refunds[i].state != REFUND_REFUSED ? book->refunds[i].amount : 0;
    }
    for (int i = 0; i < book->attempt_count; i++)
        captured += book->attempts[i].is_captured ? TOTAL : 0;
    if (asked_for > captured)
        world_break("order %d is to be given back more than was taken", order);
    if (asked_for > TOTAL)
        world_break("order %d is to be given back more than it cost", order);
    if (book->status == ORDER_REFUNDED && (intents_kept(order) != 0 || model_shipments(order) != 0))
        world_break("order %d is refunded, and money is kept or goods are gone", order);
    if (book->status == ORDER_CANCELING && book->is_shipped)
        world_break("order %d is shipped and still being canceled", order);
}

static void check_attempts(int order)
{
    const struct book *book = &world.books[order];
    int open = 0, captured = 0;

    for (int i = 0; i < book->attempt_count; i++) {
        open += is_open(book->attempts[i].state);
        captured += book->attempts[i].is_captured;
    }
    if (open > 1)
        world_break("order %d has %d open attempts", order, open);
    if (captured > intents_charges(order))
        world_break("order %d is captured %d times in our books, and charged %d times", order,
                    captured, intents_charges(order));
    if (book->held == 0 && book->gone == 0 && intents_can_be_paid(order))
        world_break("order %d gave its stock back, and can still be paid", order);
}

/* What has ended stays so. */
static void check_end(int order)
{
    struct book *book = &world.books[order];
    bool has_ended = book->status == ORDER_FULFILLED || book->status == ORDER_CANCELED ||
                     book->status == ORDER_REFUNDED;

    if (book->ended_as != 0 && book->status != book->ended_as)
        world_break("order %d was %s, and is %s", order, order_status_name(book->ended_as),
                    order_status_name(book->status));
    if (has_ended)
        book->ended_as = book->status;
}

static void check_twins(void)
{
    const struct book *first = &world.books[0], *second = &world.books[1];

    for (int i = 0; i < WORLD_ORDERS; i++) {
        struct book *book = &world.books[i];

        book->has_failed |= book->status == ORDER_PAYMENT_FAILED ||
                            book->status == ORDER_OUT_OF_STOCK || book->undo != UNDO_NONE ||
                            book->status == ORDER_CANCELED;
        if (book->duplicate == DUPLICATE_FLAGGED && intents_charges(i) > 0)
            world_break("order %d is held as a duplicate, and charged", i);
    }
    if (world.was_always_alike && intents_charges(0) > 0 && intents_charges(1) > 0 &&
        !first->has_failed && !second->has_failed && first->duplicate == DUPLICATE_NONE &&
        second->duplicate == DUPLICATE_NONE)
        world_break("both of two orders that look alike are charged, and nobody was asked");
}

void promises_check(void)
{
    int64_t pieces = world.available;

    for (int i = 0; i < WORLD_ORDERS; i++) {
        check_order(i);
        check_refunds(i);
        check_attempts(i);
        check_end(i);
        pieces += world.books[i].held + world.books[i].gone;
    }
    if (pieces != STOCK || world.available < 0)
        world_break("%lld pieces, and there were %d", (long long)pieces, STOCK);
    check_twins();
}
