#include "tests/workers/life/books.h"

#include <stdio.h>
#include <string.h>

#include "tests/workers/life/inside.h"
#include "tests/workers/life/intents.h"
#include "tests/workers/life/model.h"

struct world world;

/* --- claims (claim.sql, claim_facts.sql) -------------------------------------------------------
 */

static int64_t since(int64_t then_ms)
{
    return then_ms < 0 ? -1 : world.now_ms - then_ms;
}

static void read_attempt(const struct book *book, struct order_facts *facts)
{
    const struct attempt *attempt;

    facts->since_sent_ms = facts->since_opened_ms = -1;
    facts->since_unknown_ms = facts->since_ended_ms = -1;
    if (book->attempt_count == 0)
        return;
    attempt = &book->attempts[book->attempt_count - 1];
    facts->attempt_number = (int16_t)book->attempt_count;
    facts->attempt_state = attempt->state;
    facts->confirms = attempt->confirms;
    facts->since_sent_ms = since(attempt->sent_ms);
    facts->since_opened_ms = since(attempt->opened_ms);
    facts->since_unknown_ms = since(attempt->unknown_ms);
    facts->since_ended_ms = since(attempt->ended_ms);
    facts->is_fenced = attempt->is_fenced;
    facts->is_given_up = attempt->is_given_up;
    facts->resolution = attempt->resolution;
    snprintf(facts->intent_id, sizeof(facts->intent_id), "%s", attempt->intent);
}

static void read_facts(struct job *job)
{
    const struct book *book = &world.books[job->order];
    const struct task *task = &book->tasks[job->stage];

    job->facts = (struct order_facts){
        .id = book->id,
        .version = book->version,
        .status = book->status,
        .total = TOTAL,
        .stage = job->stage,
        .attempt = task->attempt,
        .doubted = task->doubted,
        .crashes = task->crashes,
        .claims = task->claims,
        .held = book->held,
        .is_shipped = book->is_shipped,
        .is_unknown = task->is_unknown,
        .duplicate = book->duplicate,
    };
    job->pass = task->pass;
    job->claimed_ms = world.now_ms;
    read_attempt(book, &job->facts);
    undo_read(book, &job->facts);
}

void books_take(struct job *job)
{
    struct book *book = &world.books[job->order];
    struct task *task = &book->tasks[job->stage];

    task->state = TASK_RUNNING;
    task->holder = job;
    task->claims++;
    book->version++;
    if (book->status == ORDER_ACCEPTED)
        book->status = ORDER_PROCESSING;
    read_facts(job);
    snprintf(job->claimed.payment_method, sizeof(job->claimed.payment_method), "pm_%d",
             book->attempt_count > 1 ? book->attempt_count : 1);
}

/* --- another attempt (attempt_look.sql, attempt_give_up.sql, attempt_open.sql) -----------------
 */

static void give_up(struct book *book)
{
    struct task *task = &book->tasks[STAGE_PAYMENT];

    world_see(SAW_GIVEN_UP);
    book->attempts[book->attempt_count - 1].is_given_up = true;
    book->version++;
    if (task->state == TASK_WAITING)
        task->state = TASK_READY;
}

bool books_pay_again(int order)
{
    enum { PAY_AGAIN_MAX = 4 };
    struct book *book = &world.books[order];
    struct order_facts facts = {.status = book->status};
    struct task *task = &book->tasks[STAGE_PAYMENT];

    read_attempt(book, &facts);
    switch (order_pay_again(&facts, PAY_AGAIN_MAX)) {
    case PAY_AGAIN_OPENS:
        break;
    case PAY_AGAIN_GIVES_UP:
        give_up(book);
        return true;
    case PAY_AGAIN_IN_PROGRESS:
    case PAY_AGAIN_CLOSED:
    case PAY_AGAIN_EXHAUSTED:
        return false;
    }
    world_see(SAW_PAY_AGAIN);
    book->attempts[book->attempt_count++] = (struct attempt){.state = ATTEMPT_CREATED,
                                                             .sent_ms = -1,
                                                             .opened_ms = world.now_ms,
                                                             .unknown_ms = -1,
                                                             .ended_ms = -1};
    book->version++;
    book->status = ORDER_PROCESSING;
    book->reason = "";
    *task = (struct task){.exists = true, .state = TASK_READY, .claims = task->claims};
    return true;
}

static bool is_resolvable(const struct book *book, const struct attempt *attempt)
{
    bool is_over = attempt->state == ATTEMPT_CAPTURED || attempt->state == ATTEMPT_DECLINED ||
                   attempt->state == ATTEMPT_VOIDED;
    bool is_odd = attempt->state == ATTEMPT_UNKNOWN || attempt->state == ATTEMPT_INTEGRITY_FAILURE;

    return attempt->resolution == RESOLUTION_NONE && !is_over && book->undo == UNDO_NONE &&
           (is_odd || book->status == ORDER_ON_HOLD);
}

void books_resolve(int order, bool says_declined)
{
    struct book *book = &world.books[order];
    struct task *task = &book->tasks[STAGE_PAYMENT];
    struct attempt *attempt;

    if (book->attempt_count == 0)
        return;
    attempt = &book->attempts[book->attempt_count - 1];
    if (!is_resolvable(book, attempt) || intents_is_at_work(order))
        return;
    world_see(SAW_RESOLVED);
    attempt->resolution = !intents_cancel_all(order) ? RESOLUTION_CAPTURED
                          : says_declined            ? RESOLUTION_DECLINED
                                                     : RESOLUTION_CANCELED;
    book->version++;
    *task = (struct task){.exists = true, .state = TASK_READY, .claims = task->claims};
}

/* --- outcomes (outcome.sql) --------------------------------------------------------------------
 */

static void note_times(struct attempt *attempt)
{
    bool is_over = attempt->state == ATTEMPT_DECLINED || attempt->state == ATTEMPT_VOIDED;

    if (attempt->state == ATTEMPT_UNKNOWN && attempt->unknown_ms < 0)
        attempt->unknown_ms = world.now_ms;
    else if (attempt->state != ATTEMPT_UNKNOWN && attempt->state != ATTEMPT_AUTHORIZING)
        attempt->unknown_ms = -1;
    if (!is_over)
        attempt->ended_ms = -1;
    else if (attempt->ended_ms < 0)
        attempt->ended_ms = world.now_ms;
}

static void write_attempt(struct book *book, const struct order_change *change)
{
    struct attempt *attempt;

    if (change->attempt_number == 0)
        return;
    if (change->attempt_number > ATTEMPTS_MAX || change->attempt_number > book->attempt_count + 1) {
        world_break("attempt %d after %d", change->attempt_number, book->attempt_count);
        return;
    }
    attempt = &book->attempts[change->attempt_number - 1];
    if (change->attempt_number > book->attempt_count) {
        book->attempt_count++;
        *attempt = (struct attempt){
            .sent_ms = -1, .opened_ms = world.now_ms, .unknown_ms = -1, .ended_ms = -1};
    }
    attempt->state = change->attempt_state;
    attempt->confirms = change->confirms;
    if (change->intent_id)
        snprintf(attempt->intent, sizeof(attempt->intent), "%s", change->intent_id);
    if (change->is_sending)
        attempt->sent_ms = world.now_ms;
    attempt->is_captured |= change->is_captured;
    attempt->is_fenced |= change->is_fenced;
    note_times(attempt);
}

static void write_stock(struct book *book, const struct order_change *change)
{
    if (change->stock == STOCK_RETURNED)
        world.available += book->held;
    if (change->stock == STOCK_SHIPPED)
        book->gone += book->held;
    if (change->stock != STOCK_KEPT)
        book->held = 0;
}

static bool may_be_once_more(const struct book *book, enum stage stage)
{
    enum task_state state = book->tasks[stage].state;

    return (stage == STAGE_CANCEL || stage == STAGE_REFUND) &&
           (state == TASK_DONE || state == TASK_DEAD);
}

static void write_task(struct book *book, const struct job *job, const struct order_change *change)
{
    struct task *task = &book->tasks[job->stage];

    task->state = change->task_state;
    task->attempt = change->task_attempt;
    task->doubted = change->task_doubted;
    task->due_ms = world.now_ms + change->due_ms;
    task->is_unknown = change->fault && change->fault->kind == FAULT_UNKNOWN;
    if (!change->keeps_running)
        task->holder = NULL;
    if (change->next != STAGE_NONE && change->next != job->stage &&
        (!book->tasks[change->next].exists || may_be_once_more(book, change->next)))
        book->tasks[change->next] = (struct task){
            .exists = true, .state = TASK_READY, .claims = book->tasks[change->next].claims};
}

static void note(const struct job *job, const struct order_change *change)
{
    const struct book *book = &world.books[job->order];

    if (change->status != book->status && !order_status_is_edge(book->status, change->status))
        world_break("order %d goes from %s to %s", job->order, order_status_name(book->status),
                    order_status_name(change->status));
    promises_check_change(job, change);
    world_sights[SAW_PAID] += change->is_captured;
    world_sights[SAW_SHIPPED] += change->writes_shipment;
    world_sights[SAW_DEAD] += change->is_dead;
    world_sights[SAW_TWIN_HELD] +=
        change->reason && strcmp(change->reason, "possible_duplicate") == 0;
    world_sights[SAW_PARKED] += change->task_state == TASK_PARKED;
    world_sights[SAW_DECLINED] += change->attempt_state == ATTEMPT_DECLINED;
    world_sights[SAW_UNKNOWN] += change->attempt_state == ATTEMPT_UNKNOWN;
    world_sights[SAW_CANCELED] += change->status == ORDER_CANCELED;
}

bool books_commit(struct job *job, const struct order_change *change)
{
    struct book *book = &world.books[job->order];
    bool is_told = !world.loses_write;

    if (world.pays_again && books_pay_again(job->order))
        world.pays_again = false;
    if (book->version != job->facts.version)
        return false;
    world.loses_write = false;
    note(job, change);
    book->version++;
    book->status = change->status;
    book->reason = change->reason ? change->reason : book->reason;
    write_task(book, job, change);
    write_attempt(book, change);
    write_stock(book, change);
    undo_write(book, job, change);
    book->is_shipped |= change->writes_shipment;
    return is_told;
}

bool books_have(const struct job *job)
{
    const struct task *task = &world.books[job->order].tasks[job->stage];

    return task->state == TASK_READY || (task->holder == job && task->state == TASK_RUNNING);
}

void books_begin(void)
{
    memset(world.books, 0, sizeof(world.books));
    world.available = STOCK;
    for (int i = 0; i < WORLD_ORDERS; i++) {
        struct book *book = &world.books[i];

        order_id_make(&book->id, 1700000000000 + i);
        order_id_format(&book->id, book->public_id);
        order_id_format_uuid(&book->id, book->reference);
        book->version = 1;
        book->status = ORDER_ACCEPTED;
        book->reason = "";
        book->tasks[STAGE_PAYMENT] = (struct task){.exists = true, .state = TASK_READY};
    }
}
