/* What people ask for: order_cancel() and order_refund() of the migrations. */
#include "tests/workers/life/books.h"
#include "tests/workers/life/inside.h"

static void wake(struct task *task)
{
    *task = (struct task){.exists = true, .state = TASK_READY, .claims = task->claims};
}

static bool is_nobodys(const struct task *task)
{
    return task->exists && task->state != TASK_RUNNING && task->state != TASK_DONE;
}

void books_cancel(int order)
{
    struct book *book = &world.books[order];
    struct task *shipping = &book->tasks[STAGE_FULFILMENT], *cancel = &book->tasks[STAGE_CANCEL];
    bool is_asked = shipping->exists && shipping->claims > 0 && shipping->state != TASK_DONE;

    if (!order_status_is_edge(book->status, ORDER_CANCELING))
        return;
    world_see(SAW_CANCEL_ASKED);
    book->version++;
    book->status = ORDER_CANCELING;
    if (book->undo != UNDO_CANCEL)
        book->undo_ms = world.now_ms;
    book->undo = UNDO_CANCEL;
    if (is_nobodys(&book->tasks[STAGE_PAYMENT]))
        book->tasks[STAGE_PAYMENT].state = TASK_DONE;
    if (is_asked && is_nobodys(shipping) && shipping->state != TASK_READY)
        wake(shipping);
    else if (!is_asked && is_nobodys(shipping))
        shipping->state = TASK_DONE;
    if (!is_asked && (!cancel->exists || cancel->state == TASK_DONE || cancel->state == TASK_DEAD))
        wake(cancel);
}

static int64_t rest_of(const struct book *book)
{
    int64_t rest = 0;

    for (int i = 0; i < book->attempt_count; i++)
        rest += book->attempts[i].is_captured ? TOTAL : 0;
    for (int i = 0; i < book->refund_count; i++)
        rest -= book->refunds[i].state != REFUND_REFUSED ? book->refunds[i].amount : 0;
    return rest;
}

void books_refund(int order, int64_t amount)
{
    struct book *book = &world.books[order];
    struct task *task = &book->tasks[STAGE_REFUND];
    int64_t rest = rest_of(book);

    if ((book->status != ORDER_CONFIRMED && book->status != ORDER_FULFILLED) || amount > rest ||
        amount <= 0 || (book->status == ORDER_CONFIRMED && amount == rest) ||
        book->refund_count == REFUNDS_MAX)
        return;
    world_see(SAW_REFUND_ASKED);
    book->version++;
    book->refunds[book->refund_count++] =
        (struct refund){.state = REFUND_OPENED, .amount = amount, .keys = 1, .sent_ms = -1};
    if (!task->exists || task->state == TASK_DONE || task->state == TASK_DEAD)
        wake(task);
}

/* --- what the workers read and write of it (claim_refunds.sql, outcome_undo.sql) ---------------
 */

void undo_read(const struct book *book, struct order_facts *facts)
{
    facts->undo = book->undo;
    facts->since_undo_ms = book->undo == UNDO_NONE ? -1 : world.now_ms - book->undo_ms;
    facts->since_refund_sent_ms = -1;
    facts->is_cancel_open =
        !book->tasks[STAGE_CANCEL].exists || book->tasks[STAGE_CANCEL].state != TASK_DONE;
    facts->refunds = (int16_t)book->refund_count;
    for (int i = 0; i < book->attempt_count; i++)
        facts->captured += book->attempts[i].is_captured ? TOTAL : 0;
    for (int i = book->refund_count - 1; i >= 0; i--) {
        const struct refund *refund = &book->refunds[i];

        facts->refunded += refund->state == REFUND_MADE ? refund->amount : 0;
        if (refund->state == REFUND_MADE || refund->state == REFUND_REFUSED)
            continue;
        facts->refunds_open++;
        facts->refund_number = (int16_t)(i + 1);
        facts->refund_state = refund->state;
        facts->refund_amount = refund->amount;
        facts->refund_keys = refund->keys;
        facts->since_refund_sent_ms = refund->sent_ms < 0 ? -1 : world.now_ms - refund->sent_ms;
    }
}

static void write_refund(struct book *book, const struct order_change *change)
{
    struct refund *refund;

    if (change->refund_number > REFUNDS_MAX || change->refund_number > book->refund_count + 1) {
        world_break("refund %d after %d", change->refund_number, book->refund_count);
        return;
    }
    refund = &book->refunds[change->refund_number - 1];
    if (change->refund_amount > 0) {
        if (change->refund_amount > rest_of(book))
            world_break("the tables would not take a refund of more than is left");
        book->refund_count = change->refund_number;
        *refund = (struct refund){.amount = change->refund_amount, .sent_ms = -1};
    }
    refund->state = change->refund_state;
    refund->keys = change->refund_keys;
    if (change->is_refund_sending)
        refund->sent_ms = world.now_ms;
    world_sights[SAW_REFUND_UNKNOWN] += refund->state == REFUND_UNKNOWN;
    world_sights[SAW_REFUND_REFUSED] += refund->state == REFUND_REFUSED;
}

void undo_write(struct book *book, const struct job *job, const struct order_change *change)
{
    if (change->undo != UNDO_NONE) {
        book->undo = change->undo;
        book->undo_ms = world.now_ms;
    }
    for (int stage = 1; change->closes && stage < STAGE_COUNT; stage++) {
        if (stage == (int)job->stage || !book->tasks[stage].exists)
            continue;
        book->tasks[stage].state = TASK_DONE;
        book->tasks[stage].holder = NULL;
    }
    if (change->refund_number != 0)
        write_refund(book, change);
    world_sights[SAW_REFUNDED] += change->status == ORDER_REFUNDED;
    world_sights[SAW_SHIPPED_BEFORE_CANCEL] += change->writes_shipment && book->undo == UNDO_CANCEL;
}
