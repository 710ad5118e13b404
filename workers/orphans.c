#include "workers/orphans.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "queue/errand.h"
#include "schema/order_id.h"
#include "schema/stages.h"
#include "schema/statements.h"

enum { PATIENCE_MS = 25000, REST_MS = 1000, AGAIN_MS = 2000, FAILURES_MAX = 20 };
enum { PIECE_MAX = 200, ADOPTED_MAX = 200 };

/* Each is entered when the one before has answered. */
enum step {
    TURN,    /* is it our turn? */
    LIST,    /* a page of the provider's list */
    PAGE,    /* … is compared and written */
    ASK,     /* which attempts of a piece of the window were not there? */
    AGAIN,   /* … and which differences of before? */
    LOOK,    /* the next of them is looked up */
    COMPARE, /* … and all of them are written */
    ADOPT,
    END,
};

struct unseen {
    char intent_id[PROVIDER_ID_SIZE];
    struct order_id order_id;
    bool has_order;
};

struct orphans {
    struct orphans_options options;
    struct errand *errand;
    uv_timer_t *timer;
    enum step step;
    bool is_stopped;
    int failures; /* in a row */

    /* Of the sweep under way. */
    int64_t fence; /* 0: none */
    int64_t from_s, to_s;
    struct payment_page page;
    struct payment_intent intents[PIECE_MAX]; /* of a page, or known of those that were looked up */
    int intent_count;
    char last[PROVIDER_ID_SIZE];
    struct order_id upto; /* attempts of orders up to here were asked for */
    bool is_at_end;       /* … and there are no more */
    struct unseen unseen[PIECE_MAX];
    int unseen_count, looked;
    struct unseen absent[PIECE_MAX]; /* the provider says that there is no such intent */
    int absent_count;
    struct payment_call call;
    bool is_held;
    int count; /* what the last statement has done */
};

static void enter(struct orphans *orphans, enum step step);

static struct metric sweeps = METRIC(METRIC_COUNTER, "docket_orphan_sweeps_total",
                                     "Whole comparisons of the provider's books with ours.");
static struct metric found = METRIC(METRIC_COUNTER, "docket_orphans_found_total",
                                    "Differences between the provider's books and ours.");
static struct metric adopted =
    METRIC(METRIC_COUNTER, "docket_intents_adopted_total",
           "Intents that became the attempt of their order, after a restore.");

/* --- what is sent ------------------------------------------------------------------------------
 */

static void put_known(struct orphans *orphans, struct pg_params *params)
{
#define EACH(type, add, expression)                                                                \
    pg_array_begin(params, type);                                                                  \
    for (int i = 0; i < orphans->intent_count; i++) {                                              \
        const struct payment_intent *intent = &orphans->intents[i];                                \
                                                                                                   \
        add(params, expression);                                                                   \
    }                                                                                              \
    pg_array_end(params)

    EACH(PG_TEXT, pg_array_text, intent->id);
    pg_array_begin(params, PG_UUID);
    for (int i = 0; i < orphans->intent_count; i++) {
        struct order_id id;

        if (order_id_parse(&id, orphans->intents[i].order))
            pg_array_uuid(params, id.bytes);
        else
            pg_array_null(params);
    }
    pg_array_end(params);
    EACH(PG_TEXT, pg_array_text, intent_status_name(intent->status));
    EACH(PG_INT8, pg_array_i64, intent->amount);
    EACH(PG_INT8, pg_array_i64, intent->amount_received);
    EACH(PG_TEXT, pg_array_text, intent->currency);
    EACH(PG_INT8, pg_array_i64, intent->created);
#undef EACH
}

static void put_absent(struct orphans *orphans, struct pg_params *params)
{
    pg_array_begin(params, PG_TEXT);
    for (int i = 0; i < orphans->absent_count; i++)
        pg_array_text(params, orphans->absent[i].intent_id);
    pg_array_end(params);
    pg_array_begin(params, PG_UUID);
    for (int i = 0; i < orphans->absent_count; i++) {
        if (orphans->absent[i].has_order)
            pg_array_uuid(params, orphans->absent[i].order_id.bytes);
        else
            pg_array_null(params);
    }
    pg_array_end(params);
}

static void put_turn(struct orphans *orphans, struct pg_params *params)
{
    pg_add_text(params, orphans->options.process);
    pg_add_i16(params, STAGE_PAYMENT);
    pg_add_i64(params, orphans->options.hours);
    pg_add_i64(params, orphans->options.age_s);
}

static const struct pg_statement *statement_of(enum step step)
{
    switch (step) {
    case TURN:
        return &sql_orphan_turn;
    case PAGE:
    case COMPARE:
        return &sql_orphan_page;
    case ASK:
        return &sql_orphan_ask;
    case AGAIN:
        return &sql_orphan_again;
    case ADOPT:
        return &sql_orphan_adopt;
    case END:
        return &sql_orphan_end;
    case LIST:
    case LOOK:
        break;
    }
    return NULL;
}

static void put_params(struct orphans *orphans, struct pg_params *params)
{
    if (orphans->step == TURN) {
        put_turn(orphans, params);
        return;
    }
    pg_add_i64(params, orphans->fence);
    if (orphans->step == END) {
        pg_add_i64(params, orphans->options.every_s);
        pg_add_i16(params, STAGE_PAYMENT);
        return;
    }
    pg_add_text(params, orphans->options.provider->name);
    if (orphans->step == PAGE || orphans->step == COMPARE) {
        put_known(orphans, params);
        put_absent(orphans, params);
    } else if (orphans->step == ASK) {
        pg_add_i64(params, orphans->to_s);
        pg_add_uuid(params, orphans->upto.bytes);
        pg_add_i32(params, PIECE_MAX);
    } else if (orphans->step == AGAIN) {
        pg_add_i32(params, PIECE_MAX);
    } else {
        pg_add_text(params, orphans->options.process);
        pg_add_i16(params, STAGE_PAYMENT);
        pg_add_i32(params, ADOPTED_MAX);
    }
}

static void send_statement(struct orphans *orphans)
{
    struct pg_params params;

    if (!errand_is_free(orphans->errand))
        return; /* on_ready goes on */
    orphans->is_held = false;
    orphans->count = 0;
    pg_params_init(&params);
    put_params(orphans, &params);
    errand_send(orphans->errand, statement_of(orphans->step), &params);
    pg_params_finish(&params);
}

/* --- calls -------------------------------------------------------------------------------------
 */

static void on_page(struct payment_page *page);
static void on_looked(struct payment_call *call);

static void list_page(struct orphans *orphans)
{
    orphans->page.from_s = orphans->from_s;
    orphans->page.to_s = orphans->to_s;
    orphans->page.after = orphans->last;
    orphans->page.intents = orphans->intents;
    orphans->page.on_done = on_page;
    orphans->options.provider->list(orphans->options.provider, &orphans->page);
}

static void look_up(struct orphans *orphans)
{
    orphans->call = (struct payment_call){
        .operation = PAYMENT_RETRIEVE,
        .intent = orphans->unseen[orphans->looked].intent_id,
        .on_done = on_looked,
    };
    orphans->options.provider->start(orphans->options.provider, &orphans->call);
}

/* --- going on ----------------------------------------------------------------------------------
 */

static void on_timer(uv_timer_t *timer)
{
    struct orphans *orphans = timer->data;

    if (!orphans->is_stopped)
        enter(orphans, orphans->step);
}

static void later(struct orphans *orphans, enum step step, uint64_t ms)
{
    orphans->step = step;
    if (!orphans->is_stopped)
        uv_timer_start(orphans->timer, on_timer, ms, 0);
}

static void enter(struct orphans *orphans, enum step step)
{
    orphans->step = step;
    if (orphans->is_stopped)
        return;
    if (step == LIST)
        list_page(orphans);
    else if (step == LOOK)
        look_up(orphans);
    else
        send_statement(orphans);
}

/* The same again after a pause; too often, and the whole sweep begins anew when it is due. */
static void try_again(struct orphans *orphans, const char *why)
{
    if (orphans->step != TURN && ++orphans->failures == 1)
        log_warn("orphan_sweep_stuck", "%s; it is tried again", why);
    if (orphans->failures >= FAILURES_MAX) {
        orphans->failures = 0;
        orphans->step = TURN;
    }
    later(orphans, orphans->step, AGAIN_MS);
}

static void forget_page(struct orphans *orphans)
{
    orphans->intent_count = orphans->absent_count = orphans->unseen_count = orphans->looked = 0;
}

/* What was not seen is looked up; nothing of it, and the next piece is asked for. */
static void after_asked(struct orphans *orphans)
{
    orphans->looked = orphans->intent_count = orphans->absent_count = 0;
    if (orphans->unseen_count > 0)
        enter(orphans, LOOK);
    else if (!orphans->is_at_end)
        enter(orphans, ASK);
    else
        enter(orphans, orphans->step == AGAIN ? ADOPT : AGAIN);
}

static void begin_sweep(struct orphans *orphans)
{
    int64_t ms = orphans->from_s * 1000;

    orphans->last[0] = '\0';
    orphans->is_at_end = false;
    memset(&orphans->upto, 0, sizeof(orphans->upto));
    for (int i = 5; i >= 0; i--, ms >>= 8)
        orphans->upto.bytes[i] = (uint8_t)ms;
    forget_page(orphans);
    enter(orphans, LIST);
}

static void end_sweep(struct orphans *orphans)
{
    metric_add(&sweeps, 1);
    orphans->fence = 0;
    later(orphans, TURN, REST_MS);
}

static void go_on(struct orphans *orphans)
{
    enum step done = orphans->step;

    if (done == PAGE || done == COMPARE) {
        metric_add(&found, orphans->count);
        if (orphans->count > 0)
            log_error("orphans_found", "%d; see docket status", orphans->count);
        forget_page(orphans);
    }
    if (done == TURN)
        begin_sweep(orphans);
    else if (done == PAGE)
        enter(orphans, orphans->page.has_more ? LIST : ASK);
    else if (done == ASK || done == AGAIN)
        after_asked(orphans);
    else if (done == COMPARE)
        enter(orphans, orphans->is_at_end ? AGAIN : ASK);
    else if (done == END)
        end_sweep(orphans);
    else if (orphans->count > 0) { /* ADOPT: perhaps there are more */
        metric_add(&adopted, orphans->count);
        log_info("intents_adopted", "%d orders have their payment back", orphans->count);
        enter(orphans, ADOPT);
    } else {
        enter(orphans, END);
    }
}

/* --- answers -----------------------------------------------------------------------------------
 */

static void on_page(struct payment_page *page)
{
    struct orphans *orphans = container_of(page, struct orphans, page);

    if (page->fault.kind != FAULT_NONE) {
        try_again(orphans, page->fault.text);
        return;
    }
    orphans->failures = 0;
    orphans->intent_count = page->count;
    if (page->count > 0)
        memcpy(orphans->last, orphans->intents[page->count - 1].id, sizeof(orphans->last));
    enter(orphans, PAGE);
}

static void on_looked(struct payment_call *call)
{
    struct orphans *orphans = container_of(call, struct orphans, call);
    const struct payment_result *result = &call->result;

    if (result->verdict == PAYMENT_STATE) {
        orphans->intents[orphans->intent_count++] = result->intent;
    } else if (call->outside.status == 404) {
        orphans->absent[orphans->absent_count++] = orphans->unseen[orphans->looked];
    } else {
        try_again(orphans, result->fault.text);
        return;
    }
    orphans->failures = 0;
    orphans->looked++;
    enter(orphans, orphans->looked < orphans->unseen_count ? LOOK : COMPARE);
}

static void read_turn(struct orphans *orphans, const PGresult *result)
{
    if (PQntuples(result) != 1)
        return;
    orphans->is_held = true;
    orphans->fence = pg_i64(result, 0, 0);
    orphans->from_s = pg_i64(result, 0, 1);
    orphans->to_s = pg_i64(result, 0, 2);
}

static void read_unseen(struct orphans *orphans, const PGresult *result)
{
    enum { IS_HELD, UPTO, INTENT, ORDER };
    size_t length;

    orphans->unseen_count = 0;
    if (orphans->step == ASK) {
        orphans->is_at_end = pg_is_null(result, 0, UPTO);
        if (!orphans->is_at_end)
            memcpy(orphans->upto.bytes, pg_bytes(result, 0, UPTO, &length), ORDER_ID_BYTES);
    }
    for (int row = 0; row < PQntuples(result) && orphans->unseen_count < PIECE_MAX; row++) {
        struct unseen *unseen = &orphans->unseen[orphans->unseen_count];

        if (pg_is_null(result, row, INTENT))
            continue;
        snprintf(unseen->intent_id, sizeof(unseen->intent_id), "%s", pg_text(result, row, INTENT));
        unseen->has_order = !pg_is_null(result, row, ORDER);
        if (unseen->has_order)
            memcpy(unseen->order_id.bytes, pg_bytes(result, row, ORDER, &length), ORDER_ID_BYTES);
        orphans->unseen_count++;
    }
}

static void on_rows(void *owner, const PGresult *result)
{
    struct orphans *orphans = owner;

    if (orphans->step == TURN) {
        read_turn(orphans, result);
        return;
    }
    orphans->is_held = pg_bool(result, 0, 0);
    if (orphans->step == ASK || orphans->step == AGAIN)
        read_unseen(orphans, result);
    else if (orphans->step != END)
        orphans->count = pg_i32(result, 0, 1);
}

/* It is not our turn, or somebody else has taken it meanwhile. */
static void on_done(void *owner, bool is_committed)
{
    struct orphans *orphans = owner;

    if (!is_committed)
        try_again(orphans, "Postgres refused a step of it, or was away");
    else if (orphans->is_held)
        go_on(orphans);
    else
        later(orphans, TURN, REST_MS);
}

static void on_ready(void *owner)
{
    struct orphans *orphans = owner;

    if (statement_of(orphans->step) && !uv_is_active((uv_handle_t *)orphans->timer))
        enter(orphans, orphans->step);
}

/* --- life --------------------------------------------------------------------------------------
 */

struct orphans *orphans_create(uv_loop_t *loop, const struct orphans_options *options)
{
    static const struct pg_statement *const statements[] = {&sql_orphan_turn,
                                                            &sql_orphan_page,
                                                            &sql_orphan_ask,
                                                            &sql_orphan_again,
                                                            &sql_orphan_adopt,
                                                            &sql_orphan_end,
                                                            NULL};
    struct orphans *orphans = xcalloc(1, sizeof(*orphans));
    const struct errand_options errand = {
        .name = "orphans",
        .server = options->server,
        .statements = statements,
        .patience_ms = PATIENCE_MS,
        .on_ready = on_ready,
        .on_rows = on_rows,
        .on_done = on_done,
        .owner = orphans,
    };

    orphans->options = *options;
    orphans->timer = xcalloc(1, sizeof(*orphans->timer));
    orphans->timer->data = orphans;
    uv_timer_init(loop, orphans->timer);
    orphans->errand = errand_create(loop, &errand);
    return orphans;
}

void orphans_stop(struct orphans *orphans)
{
    orphans->is_stopped = true;
    uv_timer_stop(orphans->timer);
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

/* A call that is open still points here: the process ends. */
void orphans_destroy(struct orphans *orphans)
{
    if (orphans == NULL)
        return;
    errand_destroy(orphans->errand);
    uv_close((uv_handle_t *)orphans->timer, free_handle);
    if (orphans->step != LIST && orphans->step != LOOK)
        free(orphans);
}

void orphans_register_metrics(void)
{
    metric_register(&sweeps);
    metric_register(&found);
    metric_register(&adopted);
}
