#include "queue/worker_session.h"

#include <openssl/rand.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/point.h"
#include "schema/outsides.h"
#include "schema/statements.h"

enum { MARGIN_MS = 1000 };

static const char point_name[] = "worker"; /* kill points "worker.commit_before", … */

enum session_state { CONNECTING, BEGINNING, ALIVE };

struct worker_session {
    enum session_state state;
    struct worker_session_options options;
    struct pg_link *link;
    uv_timer_t *beat;
    uint8_t id[PG_UUID_BYTES];
    uint64_t epoch;
    uint64_t asked_ms; /* when the beat that is being answered was sent; 0: none is */
    uint64_t until_ms; /* our own, careful view of alive_until, on the monotonic clock */
    int64_t claimed_upto;
    bool is_row_missing;
    struct breaker_view view; /* as the last beat told it */
};

enum { STATE, VERSION, OPENED, IS_QUEUE_PAUSED }; /* the columns of worker_beat.sql */

static void add_beat(struct worker_session *session)
{
    struct pg_params params;

    pg_params_init(&params);
    pg_add_uuid(&params, session->id);
    pg_add_i64(&params, WORKER_LEASE_MS);
    pg_add_i64(&params, session->claimed_upto);
    pg_add_i16(&params, (int16_t)outside_lead(session->options.stage));
    pg_link_send(session->link, &sql_worker_beat, &params);
    pg_params_finish(&params);
}

/* In the transaction of the first lease: whoever learns that it began learns of the pause, too. */
static void add_pause(struct worker_session *session)
{
    struct pg_params params;

    pg_params_init(&params);
    pg_add_text(&params, session->options.process);
    pg_add_i16(&params, (int16_t)session->options.stage);
    pg_add_text(&params, stage_name(session->options.stage));
    pg_link_send(session->link, &sql_worker_pause, &params);
    pg_params_finish(&params);
}

/* The row, and its first beat, which tells what holds the stage back. */
static void begin(struct worker_session *session)
{
    struct pg_params params;

    if (RAND_bytes(session->id, sizeof(session->id)) != 1)
        abort(); /* without randomness no id is safe */
    session->state = BEGINNING;
    session->epoch++;
    session->asked_ms = clock_monotonic_ms();
    pg_params_init(&params);
    pg_add_uuid(&params, session->id);
    pg_add_text(&params, session->options.process);
    pg_add_i16(&params, (int16_t)session->options.stage);
    pg_add_i64(&params, WORKER_LEASE_MS);
    pg_link_send(session->link, &sql_worker_begin, &params);
    if (session->options.starts_paused)
        add_pause(session);
    add_beat(session);
    POINT(point_name, "commit_before");
    pg_link_sync(session->link);
    POINT(point_name, "commit_sent");
    pg_params_finish(&params);
}

static void send_beat(struct worker_session *session)
{
    session->asked_ms = clock_monotonic_ms();
    add_beat(session);
    POINT(point_name, "commit_before");
    pg_link_sync(session->link);
    POINT(point_name, "commit_sent");
}

void worker_session_beat(struct worker_session *session)
{
    if (session->state == ALIVE && session->asked_ms == 0)
        send_beat(session);
}

/* Whoever slept past its lease may have lost everything it held: it begins anew. */
static void on_beat(uv_timer_t *timer)
{
    struct worker_session *session = timer->data;

    if (session->state != ALIVE)
        return;
    if (clock_monotonic_ms() + MARGIN_MS > session->until_ms)
        pg_link_abandon(session->link, "the worker's lease has lapsed");
    else if (session->asked_ms == 0)
        send_beat(session);
}

static void on_ready(void *owner)
{
    begin(owner);
}

static void note_beat(struct worker_session *session, const PGresult *result)
{
    session->is_row_missing = PQntuples(result) == 0;
    if (session->is_row_missing)
        return;
    session->view = (struct breaker_view){
        .state = (enum breaker_state)pg_i16(result, 0, STATE),
        .version = pg_i64(result, 0, VERSION),
        .opened = pg_i64(result, 0, OPENED),
        .is_queue_paused = pg_bool(result, 0, IS_QUEUE_PAUSED),
    };
}

static void on_result(void *owner, const PGresult *result)
{
    struct worker_session *session = owner;
    ExecStatusType status = PQresultStatus(result);

    if (status == PGRES_TUPLES_OK)
        note_beat(session, result);
    else if (status != PGRES_COMMAND_OK)
        pg_link_abandon(session->link, PQresultErrorMessage(result));
}

static void on_synced(void *owner, bool doubtful)
{
    struct worker_session *session = owner;
    bool has_begun = session->state == BEGINNING;

    (void)doubtful; /* a lease on a lost primary lapses by itself */
    POINT(point_name, "commit_after");
    if (session->is_row_missing) {
        session->is_row_missing = false;
        pg_link_abandon(session->link, "the worker's row is gone");
        return;
    }
    session->until_ms = session->asked_ms + WORKER_LEASE_MS;
    session->asked_ms = 0;
    session->state = ALIVE;
    session->options.starts_paused = false; /* it has */
    session->options.on_view(session->options.owner, &session->view);
    if (has_begun) {
        log_info("worker_began", "lease taken as %s", session->options.process);
        session->options.on_begun(session->options.owner);
    }
}

static void on_lost(void *owner, const struct fault *fault)
{
    struct worker_session *session = owner;
    bool was_alive = session->state == ALIVE;

    (void)fault; /* the link has logged it */
    session->state = CONNECTING;
    session->asked_ms = 0;
    if (was_alive)
        session->options.on_ended(session->options.owner);
}

bool worker_session_is_alive(const struct worker_session *session)
{
    return session->state == ALIVE;
}

const uint8_t *worker_session_id(const struct worker_session *session)
{
    return session->id;
}

uint64_t worker_session_epoch(const struct worker_session *session)
{
    return session->epoch;
}

bool worker_session_may_send(const struct worker_session *session, uint64_t epoch)
{
    return session->state == ALIVE && session->epoch == epoch &&
           clock_monotonic_ms() + MARGIN_MS < session->until_ms;
}

void worker_session_note_claimed(struct worker_session *session, int64_t outbox_id)
{
    if (outbox_id > session->claimed_upto)
        session->claimed_upto = outbox_id;
}

struct worker_session *worker_session_create(uv_loop_t *loop,
                                             const struct worker_session_options *options)
{
    static const struct pg_statement *const statements[] = {&sql_worker_begin, &sql_worker_pause,
                                                            &sql_worker_beat, NULL};
    static const struct pg_link_events events = {
        .on_ready = on_ready,
        .on_result = on_result,
        .on_synced = on_synced,
        .on_lost = on_lost,
    };
    struct worker_session *session = xcalloc(1, sizeof(*session));
    const struct pg_link_options link_options = {
        .server = options->server,
        .statements = statements,
    };

    session->options = *options;
    session->link = pg_link_create(loop, &link_options, &events, session);
    session->beat = xcalloc(1, sizeof(*session->beat));
    session->beat->data = session;
    uv_timer_init(loop, session->beat);
    uv_timer_start(session->beat, on_beat, WORKER_BEAT_MS, WORKER_BEAT_MS);
    return session;
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

void worker_session_destroy(struct worker_session *session)
{
    if (session == NULL)
        return;
    pg_link_destroy(session->link);
    uv_timer_stop(session->beat);
    uv_close((uv_handle_t *)session->beat, free_handle);
    free(session);
}
