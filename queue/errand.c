#include "queue/errand.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/point.h"

struct errand {
    struct errand_options options;
    struct pg_link *link;
    uv_timer_t *patience;
    bool is_ready, is_busy;
    bool is_spoilt;  /* the statement that is being answered has failed */
    bool is_failing; /* a failure was logged, and nothing succeeded since */
};

static void finish(struct errand *errand, bool is_committed)
{
    errand->is_busy = false;
    uv_timer_stop(errand->patience);
    if (is_committed)
        errand->is_failing = false;
    errand->options.on_done(errand->options.owner, is_committed);
}

static void on_ready(void *owner)
{
    struct errand *errand = owner;

    errand->is_ready = true;
    errand->options.on_ready(errand->options.owner);
}

static void note_failure(struct errand *errand, const PGresult *result)
{
    errand->is_spoilt = true;
    if (!errand->is_failing)
        log_warn("errand_failed", "%s: %s", errand->options.name, PQresultErrorMessage(result));
    errand->is_failing = true;
}

static void on_result(void *owner, const PGresult *result)
{
    struct errand *errand = owner;
    ExecStatusType status = PQresultStatus(result);

    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        errand->options.on_rows(errand->options.owner, result);
    else
        note_failure(errand, result);
}

static void on_synced(void *owner, bool doubtful)
{
    struct errand *errand = owner;

    POINT(errand->options.name, "commit_after");
    finish(errand, !errand->is_spoilt && !doubtful);
}

static void on_lost(void *owner, const struct fault *fault)
{
    struct errand *errand = owner;

    (void)fault; /* the link has logged it */
    errand->is_ready = false;
    if (errand->is_busy)
        finish(errand, false);
}

static void on_notify(void *owner, const char *channel, const char *payload)
{
    struct errand *errand = owner;

    if (errand->options.on_notify)
        errand->options.on_notify(errand->options.owner, channel, payload);
}

static void on_impatient(uv_timer_t *timer)
{
    struct errand *errand = timer->data;

    pg_link_abandon(errand->link, errand->options.name);
}

bool errand_is_ready(const struct errand *errand)
{
    return errand->is_ready && pg_link_is_ready(errand->link);
}

bool errand_is_free(const struct errand *errand)
{
    return errand_is_ready(errand) && !errand->is_busy;
}

void errand_send(struct errand *errand, const struct pg_statement *statement,
                 const struct pg_params *params)
{
    assert(errand_is_free(errand));
    errand->is_busy = true;
    errand->is_spoilt = false;
    uv_timer_start(errand->patience, on_impatient, errand->options.patience_ms, 0);
    pg_link_send(errand->link, statement, params);
    POINT(errand->options.name, "commit_before");
    pg_link_sync(errand->link);
    POINT(errand->options.name, "commit_sent");
}

struct errand *errand_create(uv_loop_t *loop, const struct errand_options *options)
{
    static const struct pg_link_events events = {
        .on_ready = on_ready,
        .on_result = on_result,
        .on_synced = on_synced,
        .on_lost = on_lost,
        .on_notify = on_notify,
    };
    struct errand *errand = xcalloc(1, sizeof(*errand));
    struct pg_link_options link_options = {
        .server = options->server,
        .statements = options->statements,
        .listen = options->listen,
    };

    errand->options = *options;
    errand->patience = xcalloc(1, sizeof(*errand->patience));
    errand->patience->data = errand;
    uv_timer_init(loop, errand->patience);
    errand->link = pg_link_create(loop, &link_options, &events, errand);
    return errand;
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

void errand_destroy(struct errand *errand)
{
    if (errand == NULL)
        return;
    pg_link_destroy(errand->link);
    uv_close((uv_handle_t *)errand->patience, free_handle);
    free(errand);
}
