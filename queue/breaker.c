#include "queue/breaker.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "schema/statements.h"

enum { PATIENCE_MS = 5000, WHY_SIZE = 160 };

struct breaker {
    struct breaker_options options;
    struct errand *errand;
    struct breaker_view view;
    struct breaker_count count;
    enum breaker_evidence last; /* failure */

    /* To be told. */
    bool wants_open;
    int64_t seen_version; /* when it was decided */
    char why[WHY_SIZE];
    int64_t goods;
    bool is_telling_open; /* of the report under way */
    int64_t told_version, told_goods;
};

#define OPENED(class_)                                                                             \
    {                                                                                              \
        .type = METRIC_COUNTER, .name = "docket_breaker_opened_total",                             \
        .help = "Breakers that this worker has opened.", .labels = "class=\"" class_ "\""          \
    }
static struct metric opened_total[] = {
    [BREAKER_CONNECT] = OPENED("connect"),
    [BREAKER_TIMEOUT] = OPENED("timeout"),
    [BREAKER_SERVER_ERROR] = OPENED("server_error"),
    [BREAKER_RATE_LIMIT] = OPENED("rate_limit"),
};

/* --- the table ---------------------------------------------------------------------------------
 */

static void report(struct breaker *breaker)
{
    const struct outside *outside = breaker->options.outside;
    struct pg_params params;

    if (!errand_is_free(breaker->errand) || (!breaker->wants_open && breaker->goods == 0))
        return;
    breaker->is_telling_open = breaker->wants_open;
    breaker->told_version = breaker->seen_version;
    breaker->told_goods = breaker->wants_open ? 0 : breaker->goods;
    pg_params_init(&params);
    pg_add_text(&params, outside->name);
    pg_add_i16(&params, (int16_t)outside->stage);
    pg_add_text(&params, breaker->wants_open ? breaker_class(breaker->last) : NULL);
    pg_add_i64(&params, breaker->seen_version);
    pg_add_i64(&params, breaker->told_goods);
    pg_add_i64(&params, breaker->view.opened);
    pg_add_text(&params, breaker->options.process);
    pg_add_text(&params, breaker->why);
    errand_send(breaker->errand, &sql_breaker_report, &params);
    pg_params_finish(&params);
}

static void on_rows(void *owner, const PGresult *result)
{
    (void)owner;
    (void)result;
}

/* What was not committed is told again by the next tick; so is what was opened anew meanwhile, with
 * a newer version, since nobody else would ever say that it is open. */
static void on_done(void *owner, bool is_committed)
{
    struct breaker *breaker = owner;

    if (!is_committed)
        return;
    breaker->goods -= breaker->told_goods;
    if (breaker->is_telling_open) {
        breaker->wants_open = breaker->seen_version > breaker->told_version;
        breaker->options.on_told(breaker->options.owner);
    }
    report(breaker);
}

static void on_ready(void *owner)
{
    report(owner);
}

/* --- deciding ----------------------------------------------------------------------------------
 */

/* Of the time before an opening nothing is owed, what is under way included. */
static void forget_counts(struct breaker *breaker)
{
    breaker_count_reset(&breaker->count);
    breaker->goods = breaker->told_goods = 0;
}

/* From here on nothing is called in this process; the table follows. */
static void open_here(struct breaker *breaker)
{
    const struct outside *outside = breaker->options.outside;

    snprintf(breaker->why, sizeof(breaker->why), "%lld calls failed (%s)",
             (long long)breaker->count.in_row, breaker_class(breaker->last));
    log_warn("breaker_opened", "%s: %s; its tasks are parked until it answers", outside->name,
             breaker->why);
    metric_add(&opened_total[breaker->last], 1);
    breaker->wants_open = true;
    breaker->seen_version = breaker->view.version;
    breaker->view.state = BREAKER_OPEN;
    breaker->view.opened = breaker->view.version + 1;
    forget_counts(breaker);
    report(breaker);
}

static void look(struct breaker *breaker)
{
    if (breaker_count_trips(&breaker->count, &breaker->options.policy, breaker->view.state,
                            clock_monotonic_ms()))
        open_here(breaker);
    else
        report(breaker);
}

void breaker_tick(struct breaker *breaker)
{
    breaker->count.ticks++;
    look(breaker);
}

/* Not older than what is known: beats and our own opening overtake each other. */
void breaker_on_view(struct breaker *breaker, const struct breaker_view *view)
{
    if (view->version <= breaker->view.version)
        return;
    if (view->state != breaker->view.state)
        log_info("breaker_seen", "%s is %s", breaker->options.outside->name,
                 breaker_state_name(view->state));
    if (view->opened > breaker->view.opened)
        forget_counts(breaker);
    breaker->view = *view;
    look(breaker);
}

bool breaker_begin_call(struct breaker *breaker, int64_t pass, struct breaker_doubt *doubt)
{
    if (!breaker_admits(&breaker->view, pass))
        return false;
    doubt->opened = breaker->view.opened;
    return true;
}

static void count_good(struct breaker *breaker, struct breaker_doubt *doubt)
{
    breaker_count_good(&breaker->count, &breaker->options.policy, clock_monotonic_ms());
    if (breaker->view.state == BREAKER_CLOSED || doubt->is_answered)
        return;
    doubt->is_answered = true;
    breaker->goods++;
    report(breaker);
}

static void count_failure(struct breaker *breaker, struct breaker_doubt *doubt,
                          enum breaker_evidence evidence)
{
    doubt->since_ms = clock_monotonic_ms();
    doubt->goods = breaker->count.goods;
    doubt->since_ticks = breaker->count.ticks;
    breaker->last = evidence;
    breaker_count_failure(&breaker->count, &breaker->options.policy, doubt->since_ms);
    look(breaker);
}

/* A call that was begun before the last opening says nothing about the time after it. */
void breaker_end_call(struct breaker *breaker, struct breaker_doubt *doubt,
                      enum breaker_evidence evidence)
{
    bool is_current = doubt->opened == breaker->view.opened;
    bool may_open = breaker->options.policy.failures < BREAKER_NEVER;

    doubt->is_raised = breaker_is_failure(evidence) && may_open;
    if (is_current && evidence == BREAKER_GOOD)
        count_good(breaker, doubt);
    else if (is_current && doubt->is_raised)
        count_failure(breaker, doubt, evidence);
}

enum breaker_verdict breaker_ask(const struct breaker *breaker, const struct breaker_doubt *doubt)
{
    return breaker_judge(doubt, &breaker->view, &breaker->count, clock_monotonic_ms());
}

struct breaker *breaker_create(uv_loop_t *loop, const struct breaker_options *options)
{
    static const struct pg_statement *const statements[] = {&sql_breaker_report, NULL};
    struct breaker *breaker = xcalloc(1, sizeof(*breaker));
    const struct errand_options errand = {
        .name = "breaker",
        .server = options->server,
        .statements = statements,
        .patience_ms = PATIENCE_MS,
        .on_ready = on_ready,
        .on_rows = on_rows,
        .on_done = on_done,
        .owner = breaker,
    };

    breaker->options = *options;
    breaker->view = (struct breaker_view){.state = BREAKER_CLOSED, .version = -1};
    breaker->errand = errand_create(loop, &errand);
    return breaker;
}

void breaker_destroy(struct breaker *breaker)
{
    if (breaker == NULL)
        return;
    errand_destroy(breaker->errand);
    free(breaker);
}

void breaker_register_metrics(void)
{
    for (size_t i = BREAKER_CONNECT; i < ARRAY_SIZE(opened_total); i++)
        metric_register(&opened_total[i]);
}
