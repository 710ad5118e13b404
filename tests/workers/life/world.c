#include "tests/workers/life/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "tests/workers/life/books.h"
#include "tests/workers/life/inside.h"
#include "tests/workers/life/intents.h"
#include "tests/workers/life/model.h"

enum { SMOOTH_MAX = 12, CALLS_A_STEP = 4, SMOOTH_MS = 10000 };

static char sku[] = "sku";

uint64_t world_sights[WORLD_SIGHTS];
const char *const world_sight_names[WORLD_SIGHTS] = {
    [SAW_PAID] = "paid",
    [SAW_DECLINED] = "declined",
    [SAW_UNKNOWN] = "unknown",
    [SAW_SHIPPED] = "shipped",
    [SAW_CANCELED] = "canceled",
    [SAW_CANCEL_ASKED] = "cancel asked for",
    [SAW_REFUND_ASKED] = "refund asked for",
    [SAW_REFUNDED] = "refunded",
    [SAW_REFUND_UNKNOWN] = "refund unknown",
    [SAW_REFUND_REFUSED] = "refund refused",
    [SAW_SHIPPED_BEFORE_CANCEL] = "shipped before its cancel",
    [SAW_DEAD] = "dead letter",
    [SAW_OVERTAKEN] = "overtaken",
    [SAW_PARKED] = "parked",
    [SAW_NEXT_KEY] = "next key",
    [SAW_LATE_ARRIVAL] = "late arrival",
    [SAW_KEY_EXPIRED] = "key expired",
    [SAW_LINGERING] = "still at work",
    [SAW_PAY_AGAIN] = "pay again",
    [SAW_RESOLVED] = "resolved",
    [SAW_STALE_LESSON] = "stale lesson",
    [SAW_GIVEN_UP] = "given up",
    [SAW_WOKEN] = "woken by an event",
    [SAW_EVENT_LATE] = "late event",
    [SAW_EVENT_KEPT] = "event kept for later",
    [SAW_STRANGER] = "event of a stranger",
    [SAW_BEGUN] = "begun by its claim",
    [SAW_TWIN_HELD] = "held as a duplicate",
    [SAW_TWIN_RELEASED] = "released",
};

/* --- what the halves know of each other --------------------------------------------------------
 */

void world_break(const char *format, ...)
{
    va_list arguments;

    if (world.wrong[0] != '\0')
        return;
    va_start(arguments, format);
    vsnprintf(world.wrong, sizeof(world.wrong), format, arguments);
    va_end(arguments);
}

const char *world_wrong(void)
{
    return world.wrong[0] != '\0' ? world.wrong : NULL;
}

void world_see(enum world_sight sight)
{
    world_sights[sight]++;
}

int64_t world_now_ms(void)
{
    return world.now_ms;
}

struct job *world_caller(void)
{
    return world.caller;
}

const char *world_public_id(int order)
{
    return world.books[order].public_id;
}

int world_order(const char *public_id)
{
    for (int i = 0; i < WORLD_ORDERS; i++)
        if (strcmp(world.books[i].public_id, public_id) == 0)
            return i;
    return 0;
}

int world_order_by_reference(const char *reference)
{
    for (int i = 0; i < WORLD_ORDERS; i++)
        if (strcmp(world.books[i].reference, reference) == 0)
            return i;
    return 0;
}

/* --- ops ---------------------------------------------------------------------------------------
 */

static struct job *find_free_job(void)
{
    for (int i = 0; i < JOBS_MAX; i++)
        if (world.jobs[i].is_over)
            return &world.jobs[i];
    return NULL;
}

/* `which` names an order and a stage. */
static struct task *find_task(unsigned which, int *order, enum stage *stage)
{
    *order = (int)(which % WORLD_ORDERS);
    *stage = (enum stage)(1 + which / WORLD_ORDERS % (STAGE_COUNT - 1));
    return &world.books[*order].tasks[*stage];
}

/* begins: what a first claim may begin is not refused by Postgres. */
static void claim(unsigned which, bool takes_over, bool begins)
{
    enum stage stage;
    int order;
    struct task *task = find_task(which, &order, &stage);
    bool is_gone = task->state == TASK_RUNNING && (task->holder == NULL || takes_over);
    struct job *job = find_free_job();

    if (!task->exists || job == NULL || (task->state != TASK_READY && !is_gone))
        return;
    *job = (struct job){.order = order, .stage = stage};
    job->line = (struct claim_line){sku, PIECES};
    job->claimed = (struct claim_order){
        .total = TOTAL, .currency = "EUR", .lines = &job->line, .line_count = 1};
    task->crashes += is_gone;
    books_take(job);
    if (begins)
        job_begin(job);
    job_go_on(job);
}

static struct job *find_job(unsigned which)
{
    for (unsigned i = 0; i < JOBS_MAX; i++) {
        struct job *job = &world.jobs[(which + i) % JOBS_MAX];

        if (!job->is_over)
            return job;
    }
    return NULL;
}

static void crash(unsigned which)
{
    struct job *job = find_job(which);
    struct task *task;

    if (job == NULL)
        return;
    task = &world.books[job->order].tasks[job->stage];
    if (task->holder == job)
        task->holder = NULL;
    job_end(job);
}

static void stop(unsigned which)
{
    struct order_lesson lesson = {.verdict = VERDICT_INTERRUPTED, .retry_after_ms = -1};
    struct job *job = find_job(which);

    if (job == NULL || !job->has_call)
        return;
    job_steps[job->stage]->interrupt(job, &lesson);
    job->is_interrupted = true;
    model_forget_job(job);
    job_learn(job, &lesson);
}

static void pass(unsigned how)
{
    static const int64_t spans_ms[] = {50,
                                       1000,
                                       5000,
                                       30000,
                                       WORLD_LONGEST_CALL_MS,
                                       300000,
                                       WORLD_SLA_MS,
                                       WORLD_WAIT_MS,
                                       WORLD_KEYS_MS + 1000};

    world.now_ms += spans_ms[how % ARRAY_SIZE(spans_ms)];
}

static void each_task(void (*visit)(struct book *book, enum stage stage, struct task *task))
{
    for (int i = 0; i < WORLD_ORDERS; i++)
        for (int stage = 1; stage < STAGE_COUNT; stage++)
            if (world.books[i].tasks[stage].exists)
                visit(&world.books[i], (enum stage)stage, &world.books[i].tasks[stage]);
}

static void make_due_ready(struct book *book, enum stage stage, struct task *task)
{
    (void)stage;
    if (task->state != TASK_WAITING || task->due_ms > world.now_ms)
        return;
    task->state = TASK_READY;
    book->version++;
}

static void let_out(struct book *book, enum stage stage, struct task *task)
{
    (void)stage;
    if (task->state != TASK_PARKED)
        return;
    task->state = TASK_READY;
    task->pass++;
    book->version++;
}

/* dead_replay.sql */
static void replay(unsigned which)
{
    enum stage stage;
    int order;
    struct task *task = find_task(which, &order, &stage);
    struct book *book = &world.books[order];

    if (!task->exists || task->state != TASK_DEAD ||
        (order_status_is_final(book->status) && stage != STAGE_REFUND))
        return;
    task->state = TASK_READY;
    task->attempt = task->crashes = 0;
    task->is_unknown = false;
    task->holder = NULL;
    book->version++;
    if (book->status == ORDER_ON_HOLD)
        book->status = book->undo == UNDO_CANCEL          ? ORDER_CANCELING
                       : book->undo == UNDO_UNDELIVERABLE ? ORDER_REFUNDING
                       : stage == STAGE_PAYMENT           ? ORDER_PROCESSING
                                                          : ORDER_CONFIRMED;
}

/* One task after the other: far into a life by one op.  Or slowly, ten seconds a step, and what
 * was on its way before does not arrive meanwhile. */
static void go_smoothly(int order, int steps, bool is_slow)
{
    model_hold_up(is_slow);
    for (int n = 0; n < steps; n++) {
        for (unsigned stage = 0; stage < STAGE_COUNT - 1; stage++)
            claim((unsigned)order + WORLD_ORDERS * stage, false, false);
        for (unsigned call = 0; call < CALLS_A_STEP; call++) {
            model_deliver(call, DOES_IT);
            model_answer(call);
        }
        promises_check();
        if (is_slow) {
            world.now_ms += SMOOTH_MS;
            each_task(make_due_ready);
        }
    }
    model_hold_up(false);
}

static void begin_alike(void)
{
    world.was_always_alike = true;
    for (int i = 0; i < WORLD_ORDERS; i++)
        world.was_always_alike &= world.books[i].version == 1;
    world.is_alike = true;
}

static void turn_outage(void)
{
    world.is_outage = !world.is_outage;
    if (!world.is_outage)
        each_task(let_out);
}

/* --- one op -------------------------------------------------------------------------------------
 */

/* What people and the provider's events do. */
static void do_beside(const struct op *op)
{
    switch ((int)op->kind) {
    case OP_PAY_AGAIN:
        world.pays_again = op->how % 2 != 0 || !books_pay_again(op->which % WORLD_ORDERS);
        break;
    case OP_RESOLVE:
        books_resolve(op->which % WORLD_ORDERS, op->how % 2 == 0);
        break;
    case OP_CANCEL:
        books_cancel(op->which % WORLD_ORDERS);
        break;
    case OP_REFUND:
        books_refund(op->which % WORLD_ORDERS, op->how % 3 == 0 ? TOTAL : op->how % TOTAL);
        break;
    case OP_EVENT:
        events_tell(op->which, op->how);
        break;
    case OP_HEAR:
        events_hear();
        break;
    case OP_ALIKE:
        begin_alike();
        break;
    case OP_RELEASE:
        twins_release(op->which % WORLD_ORDERS);
        break;
    default:
        break;
    }
}

void world_do(const struct op *op)
{
    world.random = op->how * 2654435761U;
    switch ((enum op_kind)op->kind) {
    case OP_CLAIM:
        claim(op->which, false, op->how % 4 != 0);
        break;
    case OP_TAKE_OVER:
        claim(op->which, true, op->how % 4 != 0);
        break;
    case OP_DELIVER:
        model_deliver(op->which, (enum behaviour)(op->how % BEHAVIOURS));
        break;
    case OP_ANSWER:
        model_answer(op->which);
        break;
    case OP_LOSE:
        model_lose(op->which);
        break;
    case OP_CRASH:
        crash(op->which);
        break;
    case OP_STOP:
        stop(op->which);
        break;
    case OP_PASS:
        pass(op->how);
        break;
    case OP_DUE:
        each_task(make_due_ready);
        break;
    case OP_CUSTOMER:
        intents_customer(op->which, op->how);
        break;
    case OP_SMOOTH:
        go_smoothly(op->which % WORLD_ORDERS, 1 + op->how % SMOOTH_MAX,
                    op->how / SMOOTH_MAX % 2 != 0);
        break;
    case OP_REPLAY:
        replay(op->which);
        break;
    case OP_LOSE_WRITE:
        world.loses_write = true;
        break;
    case OP_PAY_AGAIN:
    case OP_RESOLVE:
    case OP_CANCEL:
    case OP_REFUND:
    case OP_EVENT:
    case OP_HEAR:
    case OP_ALIKE:
    case OP_RELEASE:
        do_beside(op);
        break;
    case OP_OUTAGE:
        turn_outage();
        break;
    case OP_KINDS:
        break;
    }
    promises_check();
}

/* --- the end -----------------------------------------------------------------------------------
 */

static bool is_still(void)
{
    for (int i = 0; i < WORLD_ORDERS; i++) {
        for (int stage = 1; stage < STAGE_COUNT; stage++) {
            const struct task *task = &world.books[i].tasks[stage];

            if (task->exists && task->state != TASK_DONE && task->state != TASK_DEAD)
                return false;
        }
    }
    return !model_has_calls() && world.inbox_count == 0;
}

static void settle_round(void)
{
    for (unsigned which = 0; which < WORLD_ORDERS * (STAGE_COUNT - 1); which++) {
        claim(which, false, true);
        promises_check();
        for (int i = 0; i < JOBS_MAX && model_has_calls(); i++) {
            for (unsigned n = 0; n < JOBS_MAX; n++) {
                world_do(&(struct op){OP_DELIVER, (uint8_t)n, DOES_IT});
                world_do(&(struct op){OP_ANSWER, (uint8_t)n, 0});
            }
        }
    }
    for (int i = 0; i < WORLD_ORDERS; i++)
        twins_release(i);
    pass(5);
    each_task(make_due_ready);
    events_hear();
}

void world_settle(void)
{
    enum { ROUNDS_MAX = 200 };
    int round;

    if (world.is_outage)
        turn_outage();
    each_task(let_out);
    world.loses_write = world.pays_again = false;
    intents_end_work();
    for (int i = 0; i < JOBS_MAX; i++)
        crash(0);
    for (round = 0; round < ROUNDS_MAX && !is_still() && !world_wrong(); round++)
        settle_round();
    promises_check();
    if (round == ROUNDS_MAX)
        world_break("it never comes to an end");
    for (int i = 0; i < WORLD_ORDERS; i++) {
        const struct book *book = &world.books[i];
        bool is_dead = false;

        for (int stage = 1; stage < STAGE_COUNT; stage++)
            is_dead |= book->tasks[stage].exists && book->tasks[stage].state == TASK_DEAD;
        if (!order_status_is_final(book->status) && !is_dead)
            world_break("order %d rests as %s, and nobody looks", i,
                        order_status_name(book->status));
    }
}

void world_begin(void)
{
    world.now_ms = 1000000;
    world.is_outage = world.loses_write = world.pays_again = false;
    world.is_alike = world.was_always_alike = false;
    world.inbox_count = 0;
    world.wrong[0] = '\0';
    for (int i = 0; i < JOBS_MAX; i++)
        world.jobs[i].is_over = true;
    books_begin();
    model_begin();
}

void world_end(void)
{
    for (int i = 0; i < JOBS_MAX; i++)
        if (!world.jobs[i].is_over)
            job_end(&world.jobs[i]);
}
