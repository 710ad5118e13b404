#include "queue/hint.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "queue/pace.h"
#include "schema/statements.h"

enum { PATIENCE_MS = 5000, MS_NS = 1000000 };
enum { WORK_NS = 4 * MS_NS, ORDERS_NS = 20 * MS_NS }; /* who waits for a hint: a worker, a person */

struct hint {
    struct errand *errand;
    uv_prepare_t *turn; /* one NOTIFY for all that one turn of the loop brought */
    uv_timer_t *later;  /* when what is put off may be told */
    struct pace work_pace, orders_pace;
    bool is_work;
    struct order_id *orders;
    int order_count;
};

static void on_turn(uv_prepare_t *turn);

static void add_orders(const struct hint *hint, struct text *payload, int from, int to)
{
    char uuid[ORDER_ID_UUID_SIZE];

    text_clear(payload);
    for (int i = from; i < to; i++) {
        order_id_format_uuid(&hint->orders[i], uuid);
        text_add(payload, i > from ? "," : "");
        text_add(payload, uuid);
    }
}

static int payload_count(const struct hint *hint)
{
    return (hint->order_count + HINT_ORDERS_MAX - 1) / HINT_ORDERS_MAX;
}

static void add_channels(const struct hint *hint, struct pg_params *params)
{
    pg_array_begin(params, PG_TEXT);
    if (hint->is_work)
        pg_array_text(params, "docket_work");
    for (int i = 0; i < payload_count(hint); i++)
        pg_array_text(params, "docket_orders");
    pg_array_end(params);
}

static void add_payloads(const struct hint *hint, struct pg_params *params)
{
    struct text payload;

    text_init(&payload, (size_t)HINT_ORDERS_MAX * ORDER_ID_UUID_SIZE);
    pg_array_begin(params, PG_TEXT);
    if (hint->is_work)
        pg_array_text(params, "");
    for (int from = 0; from < hint->order_count; from += HINT_ORDERS_MAX) {
        int rest = hint->order_count - from;

        add_orders(hint, &payload, from, from + (rest < HINT_ORDERS_MAX ? rest : HINT_ORDERS_MAX));
        pg_array_text(params, payload.bytes);
    }
    pg_array_end(params);
    text_finish(&payload);
}

static void notify(struct hint *hint)
{
    struct pg_params params;

    pg_params_init(&params);
    add_channels(hint, &params);
    add_payloads(hint, &params);
    errand_send(hint->errand, &sql_hint_notify, &params);
    pg_params_finish(&params);
    hint->is_work = false;
    hint->order_count = 0;
}

static void on_free(void *owner)
{
    struct hint *hint = owner;

    uv_prepare_start(hint->turn, on_turn);
}

static void on_later(uv_timer_t *later)
{
    on_free(later->data);
}

/* Of either; whichever goes takes the other with it. */
static uint64_t wait_ns(struct hint *hint)
{
    uint64_t now_ns = clock_monotonic_ns(), work_ns = UINT64_MAX, orders_ns = UINT64_MAX;

    if (hint->is_work)
        work_ns = pace_wait_ns(&hint->work_pace, now_ns);
    if (work_ns > 0 && hint->order_count > 0)
        orders_ns = pace_wait_ns(&hint->orders_pace, now_ns);
    return work_ns < orders_ns ? work_ns : orders_ns;
}

static void on_turn(uv_prepare_t *turn)
{
    struct hint *hint = turn->data;
    uint64_t rest_ns;

    uv_prepare_stop(turn);
    if (!errand_is_free(hint->errand) || (!hint->is_work && hint->order_count == 0))
        return;
    rest_ns = wait_ns(hint);
    if (rest_ns == 0)
        notify(hint);
    else
        uv_timer_start(hint->later, on_later, (rest_ns + MS_NS - 1) / MS_NS, 0);
}

static void on_rows(void *owner, const PGresult *result)
{
    (void)owner;
    (void)result;
}

static void on_done(void *owner, bool is_committed)
{
    (void)is_committed; /* best effort */
    on_free(owner);
}

void hint_work(struct hint *hint)
{
    hint->is_work = true;
    on_free(hint);
}

void hint_order(struct hint *hint, const struct order_id *id)
{
    if (hint->order_count < HINT_GATHERED_MAX)
        hint->orders[hint->order_count++] = *id;
    on_free(hint);
}

struct hint *hint_create(uv_loop_t *loop, const struct pg_server *server)
{
    static const struct pg_statement *const statements[] = {&sql_hint_notify, NULL};
    struct hint *hint = xcalloc(1, sizeof(*hint));
    const struct errand_options options = {
        .name = "hint",
        .server = server,
        .statements = statements,
        .patience_ms = PATIENCE_MS,
        .on_ready = on_free,
        .on_rows = on_rows,
        .on_done = on_done,
        .owner = hint,
    };

    hint->work_pace.every_ns = WORK_NS;
    hint->orders_pace.every_ns = ORDERS_NS;
    hint->orders = xcalloc(HINT_GATHERED_MAX, sizeof(*hint->orders));
    hint->turn = xcalloc(1, sizeof(*hint->turn));
    hint->turn->data = hint;
    uv_prepare_init(loop, hint->turn);
    hint->later = xcalloc(1, sizeof(*hint->later));
    hint->later->data = hint;
    uv_timer_init(loop, hint->later);
    hint->errand = errand_create(loop, &options);
    return hint;
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

void hint_destroy(struct hint *hint)
{
    if (hint == NULL)
        return;
    errand_destroy(hint->errand);
    uv_prepare_stop(hint->turn);
    uv_close((uv_handle_t *)hint->turn, free_handle);
    uv_close((uv_handle_t *)hint->later, free_handle);
    free(hint->orders);
    free(hint);
}
