#include "api/pulse.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/point.h"

enum { TICK_MS = 25, ROUND_MS_MAX = 10000 };

static const char point_name[] = "pulse"; /* kill points "pulse.commit_before", … */

TAILQ_HEAD(wait_list, pulse_wait);

struct pulse {
    struct pulse_options options;
    const struct pg_statement *statements[PULSE_QUESTIONS_MAX + 1];
    struct pg_link *link;
    struct pg_params params;
    uv_timer_t *tick;
    bool is_ready, is_asking, has_fault;
    int asked[PULSE_QUESTIONS_MAX], asked_count, answered; /* of the round that is under way */
    uint64_t begun_ns, fresh_ns;
    struct wait_list waits;
};

static bool is_due(const struct pulse *pulse, uint64_t now_ns)
{
    uint64_t since_ms = (now_ns - pulse->begun_ns) / 1000000;
    bool is_wanted = !TAILQ_EMPTY(&pulse->waits) || pulse->fresh_ns == 0;

    return pulse->begun_ns == 0 || since_ms >= (is_wanted ? PULSE_MS_LEAST : PULSE_MS);
}

static void begin_round(struct pulse *pulse, uint64_t now_ns)
{
    pulse->asked_count = pulse->answered = 0;
    pulse->has_fault = false;
    for (int i = 0; pulse->statements[i]; i++) {
        const struct pulse_question *question = &pulse->options.questions[i];

        pg_params_clear(&pulse->params);
        if (!question->ask(question->owner, &pulse->params))
            continue;
        pg_link_send(pulse->link, question->statement, &pulse->params);
        pulse->asked[pulse->asked_count++] = i;
    }
    POINT(point_name, "commit_before");
    pg_link_sync(pulse->link);
    POINT(point_name, "commit_sent");
    pulse->is_asking = true;
    pulse->begun_ns = now_ns;
}

static void tell(struct pulse *pulse, struct pulse_wait *wait, bool is_fresh)
{
    TAILQ_REMOVE(&pulse->waits, wait, next);
    wait->on_round(wait, is_fresh);
}

/* Who is told may wait again, at the end of the list: the last one of now is where to stop. */
static void tell_waits(struct pulse *pulse, uint64_t now_ms)
{
    struct pulse_wait *wait = TAILQ_FIRST(&pulse->waits), *following;
    const struct pulse_wait *last = TAILQ_LAST(&pulse->waits, wait_list);
    bool is_last = wait == NULL;

    for (; !is_last; wait = following) {
        following = TAILQ_NEXT(wait, next);
        is_last = wait == last;
        if (pulse->fresh_ns > wait->since_ns)
            tell(pulse, wait, true);
        else if (now_ms >= wait->until_ms)
            tell(pulse, wait, false);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct pulse *pulse = timer->data;
    uint64_t now_ns = clock_monotonic_ns();

    tell_waits(pulse, clock_monotonic_ms());
    if (pulse->is_asking && now_ns - pulse->begun_ns > (uint64_t)ROUND_MS_MAX * 1000000)
        pg_link_abandon(pulse->link, "a question was not answered within 10 s");
    if (pulse->is_ready && !pulse->is_asking && is_due(pulse, now_ns))
        begin_round(pulse, now_ns);
}

static void on_ready(void *owner)
{
    struct pulse *pulse = owner;

    pulse->is_ready = true;
    begin_round(pulse, clock_monotonic_ns());
}

static void on_result(void *owner, const PGresult *result)
{
    struct pulse *pulse = owner;
    const struct pulse_question *question;

    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        if (!pulse->has_fault)
            log_error("pulse_failed", "%s", PQresultErrorMessage(result));
        pulse->has_fault = true;
    } else if (pulse->answered < pulse->asked_count) {
        question = &pulse->options.questions[pulse->asked[pulse->answered]];
        question->on_answer(question->owner, result);
    }
    pulse->answered++;
}

static void on_synced(void *owner, bool doubtful)
{
    struct pulse *pulse = owner;

    (void)doubtful; /* it wrote nothing */
    POINT(point_name, "commit_after");
    pulse->is_asking = false;
    if (pulse->has_fault)
        return;
    pulse->fresh_ns = pulse->begun_ns;
    tell_waits(pulse, clock_monotonic_ms());
}

static void on_lost(void *owner, const struct fault *fault)
{
    struct pulse *pulse = owner;

    (void)fault; /* the link has logged it */
    pulse->is_ready = pulse->is_asking = false;
}

static void on_notify(void *owner, const char *channel, const char *payload)
{
    struct pulse *pulse = owner;

    (void)channel; /* it listens to one */
    pulse->options.on_notify(pulse->options.owner, payload);
}

void pulse_wait(struct pulse *pulse, struct pulse_wait *wait)
{
    wait->since_ns = clock_monotonic_ns();
    wait->until_ms = clock_monotonic_ms() + PULSE_WAIT_MS;
    TAILQ_INSERT_TAIL(&pulse->waits, wait, next);
}

uint64_t pulse_fresh_ns(const struct pulse *pulse)
{
    return pulse->fresh_ns;
}

struct pulse *pulse_create(uv_loop_t *loop, const struct pulse_options *options)
{
    static const struct pg_link_events events = {
        .on_ready = on_ready,
        .on_result = on_result,
        .on_synced = on_synced,
        .on_lost = on_lost,
        .on_notify = on_notify,
    };
    struct pulse *pulse = xcalloc(1, sizeof(*pulse));
    struct pg_link_options link_options = {
        .server = &options->database->server,
        .statements = pulse->statements,
        .listen = options->listen,
    };

    pulse->options = *options;
    for (int i = 0; i < PULSE_QUESTIONS_MAX && options->questions[i].statement; i++)
        pulse->statements[i] = options->questions[i].statement;
    TAILQ_INIT(&pulse->waits);
    pg_params_init(&pulse->params);
    pulse->tick = xcalloc(1, sizeof(*pulse->tick));
    pulse->tick->data = pulse;
    uv_timer_init(loop, pulse->tick);
    uv_timer_start(pulse->tick, on_tick, TICK_MS, TICK_MS);
    pulse->link = pg_link_create(loop, &link_options, &events, pulse);
    return pulse;
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

void pulse_destroy(struct pulse *pulse)
{
    if (pulse == NULL)
        return;
    pg_link_destroy(pulse->link);
    pg_params_finish(&pulse->params);
    uv_close((uv_handle_t *)pulse->tick, free_handle);
    free(pulse);
}
