#include "queue/outbox.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "queue/floor.h"
#include "queue/writers.h"
#include "schema/statements.h"

enum {
    PATIENCE_MS = 10000,
    ROWS_MAX = 256,
    GAP_MS = 2,      /* between two polls that hints ask for */
    BELT_MS = 60000, /* how often everything is read again from 0 */
    ROWS_FULL = 100, /* messages of the largest row */
    HELD_MS = 1000,  /* the oldest transaction is that old, and the floors wait for it */
};

struct outbox {
    struct errand *errand;
    struct publish *publish;
    uv_timer_t *timer;
    bool is_begun;
    bool wants_room; /* the last poll was cut short, or not made, for want of it */
    struct floor floors[STAGE_COUNT];
    bool stands; /* a floor could move if transactions ended */
    uint64_t xmin, xmin_at_ms;
    struct writers writers;
    int64_t polls;
    int64_t messages_per_row; /* of the last rows that were read, to guess how many fit */
    uint64_t rest_ms, polled_at_ms, belted_at_ms, moved_at_ms;

    /* Of the poll that is under way. */
    struct {
        bool is_read;
        struct floor_poll poll;
        int seen, taken;
    } lanes[STAGE_COUNT];
    int64_t lowest[STAGE_COUNT]; /* in hand */
    int limit;                   /* of each lane */
    int taken;
    bool is_more; /* a lane was cut short by the limit */
};

static struct metric floor_stands = {
    .type = METRIC_GAUGE,
    .name = "docket_outbox_floor_stands_seconds",
    .help = "How long transactions that wrote into the outbox have kept its floor where it is."};

static struct metric transaction_held = {.type = METRIC_GAUGE,
                                         .name = "docket_postgres_transaction_held_seconds",
                                         .help = "How long the oldest transaction that is open has "
                                                 "kept what is deleted from being removed."};

static void send_poll(struct outbox *outbox);
static void plan(struct outbox *outbox, uint64_t in_ms);

static void on_timer(uv_timer_t *timer)
{
    struct outbox *outbox = timer->data;
    int64_t room;

    if (!outbox->is_begun || !errand_is_free(outbox->errand))
        return;
    room = publish_room(outbox->publish);
    outbox->wants_room = room < outbox->messages_per_row;
    if (room > 0 && (!outbox->wants_room || publish_is_idle(outbox->publish)))
        send_poll(outbox);
}

/* Never later than already planned. */
static void plan(struct outbox *outbox, uint64_t in_ms)
{
    bool is_planned = uv_is_active((uv_handle_t *)outbox->timer);

    if (!is_planned || uv_timer_get_due_in(outbox->timer) > in_ms)
        uv_timer_start(outbox->timer, on_timer, in_ms, 0);
}

/* --- what is asked for ----------------------------------------------------------------------- */

static int choose_limit(const struct outbox *outbox)
{
    int64_t rows = publish_room(outbox->publish) / outbox->messages_per_row;

    return (int)(rows < 1 ? 1 : rows > ROWS_MAX ? ROWS_MAX : rows);
}

/* The later stages first: what was begun is brought to its end. */
static bool choose_lanes(struct outbox *outbox)
{
    bool is_any = false;

    for (int topic = STAGE_COUNT - 1; topic > STAGE_NONE; topic--) {
        outbox->lanes[topic].is_read = publish_is_open(outbox->publish, (enum stage)topic);
        is_any |= outbox->lanes[topic].is_read;
    }
    return is_any;
}

static void add_lanes(struct outbox *outbox, struct pg_params *params)
{
    pg_array_begin(params, PG_INT2);
    for (int topic = STAGE_COUNT - 1; topic > STAGE_NONE; topic--) {
        if (outbox->lanes[topic].is_read)
            pg_array_i16(params, (int16_t)topic);
    }
    pg_array_end(params);
    pg_array_begin(params, PG_INT8);
    for (int topic = STAGE_COUNT - 1; topic > STAGE_NONE; topic--) {
        if (outbox->lanes[topic].is_read)
            pg_array_i64(params, outbox->floors[topic].safe);
    }
    pg_array_end(params);
}

static void reset_floors(struct outbox *outbox)
{
    for (int topic = STAGE_NONE + 1; topic < STAGE_COUNT; topic++)
        floor_reset(&outbox->floors[topic]);
    writers_reset(&outbox->writers);
}

static void begin_poll(struct outbox *outbox)
{
    outbox->polled_at_ms = clock_monotonic_ms();
    if (outbox->polled_at_ms - outbox->belted_at_ms > BELT_MS) {
        reset_floors(outbox);
        outbox->belted_at_ms = outbox->polled_at_ms;
    }
    outbox->limit = choose_limit(outbox);
    outbox->taken = 0;
    outbox->is_more = false;
    publish_lowest_in_hand(outbox->publish, outbox->lowest);
    for (int topic = STAGE_NONE + 1; topic < STAGE_COUNT; topic++) {
        outbox->lanes[topic].seen = outbox->lanes[topic].taken = 0;
        outbox->lanes[topic].poll = (struct floor_poll){.lowest_in_hand = outbox->lowest[topic]};
    }
    outbox->polls++;
}

/* Who writes into the outbox: asked for only while an old transaction keeps the floors. */
static bool asks_for_writers(const struct outbox *outbox)
{
    return outbox->stands && clock_monotonic_ms() - outbox->xmin_at_ms > HELD_MS;
}

static void send_poll(struct outbox *outbox)
{
    struct pg_params params;

    begin_poll(outbox);
    if (!choose_lanes(outbox)) {
        plan(outbox, OUTBOX_POLL_MS_MOST);
        return;
    }
    pg_params_init(&params);
    pg_add_i32(&params, outbox->limit);
    add_lanes(outbox, &params);
    publish_add_in_hand(outbox->publish, &params);
    pg_add_bool(&params, asks_for_writers(outbox));
    errand_send(outbox->errand, &sql_outbox_poll, &params);
    pg_params_finish(&params);
}

/* --- what is answered ------------------------------------------------------------------------ */

/* Once one row finds no room the rest is left: the ids of a lane are taken in their order. */
static void take_rows(struct outbox *outbox, const PGresult *result)
{
    int64_t messages = 0;
    bool is_full = false;

    for (int row = 0; row < PQntuples(result) && !pg_is_null(result, row, PUBLISH_ID); row++) {
        int topic = pg_i16(result, row, PUBLISH_TOPIC);

        outbox->lanes[topic].seen++;
        messages += pg_array_count(result, row, PUBLISH_ORDERS);
        outbox->messages_per_row = (messages + row) / (row + 1);
        is_full = is_full || !publish_take(outbox->publish, result, row);
        if (is_full)
            continue;
        outbox->lanes[topic].poll.last_id = pg_i64(result, row, PUBLISH_ID);
        outbox->lanes[topic].taken++;
        outbox->taken++;
    }
    outbox->wants_room |= is_full;
}

/* Also those count as in hand that were so when the poll was sent, and have been let go of since:
 * the poll left them out. */
static void move_floor(struct outbox *outbox, enum stage topic, uint64_t xmin, uint64_t xmax)
{
    struct floor_poll *poll = &outbox->lanes[topic].poll;
    int64_t lowest = outbox->lowest[topic];
    int seen = outbox->lanes[topic].seen;

    if (lowest < poll->lowest_in_hand)
        poll->lowest_in_hand = lowest;
    poll->xmin = xmin;
    poll->xmax = xmax;
    poll->number = outbox->polls;
    poll->settled = outbox->writers.settled;
    poll->is_exhausted = seen < outbox->limit && outbox->lanes[topic].taken == seen;
    outbox->is_more |= seen == outbox->limit && outbox->lanes[topic].taken == seen;
    floor_polled(&outbox->floors[topic], poll);
}

/* The oldest transaction that is open, if xmin is not simply the next one's id. */
static void note_oldest(struct outbox *outbox, uint64_t xmin, uint64_t xmax)
{
    uint64_t now_ms = clock_monotonic_ms();

    if (xmin != outbox->xmin) {
        outbox->xmin = xmin;
        outbox->xmin_at_ms = now_ms;
    }
    metric_set(&transaction_held, xmin < xmax ? (int64_t)(now_ms - outbox->xmin_at_ms) / 1000 : 0);
}

/* A lane at rest proves nothing, and is not waited for. */
static void move_floors(struct outbox *outbox, const PGresult *result)
{
    uint64_t xmin = (uint64_t)pg_i64(result, 0, PUBLISH_XMIN);
    uint64_t xmax = (uint64_t)pg_i64(result, 0, PUBLISH_XMAX);
    bool has_moved = false;

    outbox->stands = false;
    note_oldest(outbox, xmin, xmax);
    publish_lowest_in_hand(outbox->publish, outbox->lowest);
    for (int topic = STAGE_NONE + 1; topic < STAGE_COUNT; topic++) {
        struct floor *floor = &outbox->floors[topic];
        int64_t before = floor->safe;

        if (!outbox->lanes[topic].is_read)
            continue;
        move_floor(outbox, (enum stage)topic, xmin, xmax);
        has_moved |= floor->safe != before;
        outbox->stands |= floor->candidate != 0;
    }
    if (!pg_is_null(result, 0, PUBLISH_WRITERS))
        writers_listed(&outbox->writers, outbox->polls, pg_text(result, 0, PUBLISH_WRITERS));
    if (has_moved || !outbox->stands)
        outbox->moved_at_ms = clock_monotonic_ms();
    metric_set(&floor_stands, (int64_t)(clock_monotonic_ms() - outbox->moved_at_ms) / 1000);
}

/* Reading is true whether or not its transaction's end is heard of. */
static void on_rows(void *owner, const PGresult *result)
{
    struct outbox *outbox = owner;

    take_rows(outbox, result);
    move_floors(outbox, result);
}

static void on_done(void *owner, bool is_committed)
{
    struct outbox *outbox = owner;

    (void)is_committed;
    if (outbox->taken > 0)
        outbox->rest_ms = OUTBOX_POLL_MS_LEAST;
    else if (outbox->rest_ms < OUTBOX_POLL_MS_MOST)
        outbox->rest_ms *= 2;
    if (outbox->rest_ms > OUTBOX_POLL_MS_MOST)
        outbox->rest_ms = OUTBOX_POLL_MS_MOST;
    plan(outbox, outbox->is_more ? 0 : outbox->rest_ms);
}

/* --- when --------------------------------------------------------------------------------------
 */

void outbox_wake(struct outbox *outbox)
{
    uint64_t since_ms = clock_monotonic_ms() - outbox->polled_at_ms;

    plan(outbox, since_ms >= GAP_MS ? 0 : GAP_MS - since_ms);
}

void outbox_on_room(struct outbox *outbox)
{
    if (outbox->wants_room)
        plan(outbox, 0);
}

static void on_notify(void *owner, const char *channel, const char *payload)
{
    (void)channel;
    (void)payload;
    outbox_wake(owner);
}

static void on_ready(void *owner)
{
    struct outbox *outbox = owner;

    reset_floors(outbox); /* perhaps another server, with other transaction ids */
    outbox_wake(outbox);
}

void outbox_begin(struct outbox *outbox)
{
    outbox->is_begun = true;
    outbox->moved_at_ms = outbox->belted_at_ms = clock_monotonic_ms();
    reset_floors(outbox);
    outbox_wake(outbox);
}

void outbox_end(struct outbox *outbox)
{
    outbox->is_begun = false;
    metric_set(&floor_stands, 0);
    metric_set(&transaction_held, 0);
}

/* Of the topics that have had rows: one that never had any has its floor at the beginning. */
int64_t outbox_floor(const struct outbox *outbox)
{
    int64_t lowest = INT64_MAX;

    for (int topic = STAGE_NONE + 1; topic < STAGE_COUNT; topic++) {
        if (outbox->floors[topic].next > 1 && outbox->floors[topic].safe < lowest)
            lowest = outbox->floors[topic].safe;
    }
    return lowest < INT64_MAX ? lowest : 0;
}

struct outbox *outbox_create(uv_loop_t *loop, const struct pg_server *server,
                             struct publish *publish)
{
    static const struct pg_statement *const statements[] = {&sql_outbox_poll, NULL};
    struct outbox *outbox = xcalloc(1, sizeof(*outbox));
    const struct errand_options options = {
        .name = "outbox",
        .server = server,
        .statements = statements,
        .listen = "LISTEN docket_work",
        .patience_ms = PATIENCE_MS,
        .on_ready = on_ready,
        .on_rows = on_rows,
        .on_done = on_done,
        .on_notify = on_notify,
        .owner = outbox,
    };

    outbox->publish = publish;
    outbox->rest_ms = OUTBOX_POLL_MS_LEAST;
    outbox->messages_per_row = ROWS_FULL;
    outbox->timer = xcalloc(1, sizeof(*outbox->timer));
    outbox->timer->data = outbox;
    uv_timer_init(loop, outbox->timer);
    outbox->errand = errand_create(loop, &options);
    return outbox;
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

void outbox_destroy(struct outbox *outbox)
{
    if (outbox == NULL)
        return;
    errand_destroy(outbox->errand);
    writers_reset(&outbox->writers);
    uv_close((uv_handle_t *)outbox->timer, free_handle);
    free(outbox);
}

void outbox_register_metrics(void)
{
    metric_register(&floor_stands);
    metric_register(&transaction_held);
}
