#include "workers/runner_inside.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "queue/topology.h"

enum { TICK_MS = 100, AGAIN_MS = 500, LINKS = 2 };

static void follow_pause(struct source *source);
static void go_on_draining(struct runner *runner);
static void runner_destroy(struct runner *runner);

/* --- delivery ----------------------------------------------------------------------------------
 */

struct hint_message {
    struct order_id id;
    int64_t outbox_id;
};

static bool read_message(const struct amqp_delivery *delivery, enum stage stage,
                         struct hint_message *message)
{
    json_t *root = json_loadb(delivery->body, delivery->body_length, JSON_REJECT_DUPLICATES, NULL);
    const char *order = json_string_value(json_object_get(root, "order"));
    const char *name = json_string_value(json_object_get(root, "stage"));
    bool is_good = order && name && order_id_parse_uuid(&message->id, order) &&
                   strcmp(name, stage_name(stage)) == 0;

    message->outbox_id = json_integer_value(json_object_get(root, "outbox"));
    json_decref(root);
    return is_good;
}

static void on_delivery(void *owner, const struct amqp_delivery *delivery)
{
    struct source *source = owner;
    struct hint_message message;
    struct job *job;

    metric_add(&source->metrics->deliveries, 1);
    metric_add(&source->metrics->redeliveries, delivery->redelivered);
    if (!read_message(delivery, source->step->stage, &message)) {
        metric_add(&source->metrics->malformed, 1);
        log_warn("message_malformed", "message %s goes to the dead-letter queue",
                 delivery->message_id);
        amqp_consumer_reject(source->consumer, delivery->link, delivery->tag);
        return;
    }
    if ((job = job_find(source, &message.id)) == NULL) {
        job_start_claim(job_create(source, &message.id, message.outbox_id, delivery));
    } else if (job->link != delivery->link) {
        job->link = delivery->link; /* the old connection was lost: the ack goes out on this one */
        job->tag = delivery->tag;
    } else {
        amqp_consumer_ack(source->consumer, delivery->link, delivery->tag); /* a second hint */
    }
}

/* --- time, and the end -------------------------------------------------------------------------
 */

static void try_again(struct runner *runner)
{
    uint64_t now = clock_monotonic_ms();
    struct job *job, *following;

    for (job = TAILQ_FIRST(&runner->lists[RESTING]); job; job = following) {
        following = TAILQ_NEXT(job, by_state);
        if (now - job->since_ms >= AGAIN_MS)
            job->again(job);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct runner *runner = timer->data;

    if (runner->breaker)
        breaker_tick(runner->breaker);
    job_settle_doubts(runner);
    try_again(runner);
    if (runner->is_draining) {
        go_on_draining(runner);
        return;
    }
    for (int i = 0; i < runner->source_count; i++)
        follow_pause(&runner->sources[i]);
}

static void on_consuming(void *owner)
{
    ((struct source *)owner)->is_consuming = true;
}

static void on_consumer_lost(void *owner, const struct fault *fault)
{
    (void)fault; /* the link has logged it */
    ((struct source *)owner)->is_consuming = false;
}

/* No more deliveries: the next tick goes on. */
static void on_cancelled(void *owner)
{
    ((struct source *)owner)->is_stopped = true;
}

static void interrupt_calls(struct runner *runner)
{
    struct job *job;

    while ((job = TAILQ_FIRST(&runner->lists[CALLING])) != NULL) {
        struct order_lesson lesson = {.retry_after_ms = -1};

        job->is_interrupted = true;
        job->source->step->interrupt(job, &lesson);
        job_learn(job, &lesson);
    }
}

static void end_drain(struct runner *runner)
{
    void (*on_drained)(void *) = runner->on_drained;
    void *drain_owner = runner->drain_owner;

    runner_destroy(runner);
    on_drained(drain_owner);
}

static bool is_any_open(const struct runner *runner)
{
    for (int i = 0; i < runner->source_count; i++) {
        if (runner->sources[i].consumer)
            return true;
    }
    return false;
}

static void on_consumer_closed(void *owner)
{
    struct source *source = owner;

    source->consumer = NULL;
    source->is_consuming = source->is_stopped = source->is_closing = false;
    if (source->runner->is_draining && source->runner->job_count == 0 &&
        !is_any_open(source->runner))
        end_drain(source->runner);
}

static void close_consumer(struct source *source)
{
    source->is_closing = true;
    amqp_consumer_close(source->consumer, on_consumer_closed);
}

static void go_on_draining(struct runner *runner)
{
    struct job *job;

    while ((job = TAILQ_FIRST(&runner->lists[HELD])) != NULL) /* they are left to others */
        job_forget(job);
    if (clock_monotonic_ms() >= runner->drain_until_ms)
        interrupt_calls(runner);
    if (runner->job_count > 0)
        return;
    if (!is_any_open(runner)) {
        end_drain(runner);
        return;
    }
    for (int i = 0; i < runner->source_count; i++) {
        if (runner->sources[i].consumer && !runner->sources[i].is_closing)
            close_consumer(&runner->sources[i]);
    }
}

void runner_drain(struct runner *runner, uint64_t grace_ms, void (*on_drained)(void *owner),
                  void *owner)
{
    runner->is_draining = true;
    runner->drain_until_ms = clock_monotonic_ms() + grace_ms;
    runner->on_drained = on_drained;
    runner->drain_owner = owner;
    for (int i = 0; i < runner->source_count; i++) {
        if (runner->sources[i].consumer && !runner->sources[i].is_closing)
            amqp_consumer_stop(runner->sources[i].consumer);
    }
}

/* --- paused by an operator ----------------------------------------------------------------------
 *
 *     consuming ─► basic.cancel ─► what was taken up ends, and is acked ─► closed ─► consuming
 *
 * So nothing is given back to the queue (each time would count against the delivery limit), nothing
 * is held without an ack, and what is in the queue stays there.
 */

static void open_consumer(struct source *source);

static void follow_pause(struct source *source)
{
    if (source->consumer == NULL && !source->is_paused && worker_session_is_alive(source->session))
        open_consumer(source);
    else if (source->consumer && source->is_stopped && !source->is_closing &&
             source->job_count == 0)
        close_consumer(source);
}

static void on_view(void *owner, const struct breaker_view *view)
{
    struct source *source = owner;
    struct runner *runner = source->runner;

    if (runner->breaker)
        breaker_on_view(runner->breaker, view);
    if (view->is_queue_paused == source->is_paused)
        return;
    source->is_paused = view->is_queue_paused;
    log_info(source->is_paused ? "paused" : "resumed", "%s, by an operator",
             stage_name(source->step->stage));
    if (source->is_paused && source->consumer && !source->is_closing && !runner->is_draining)
        amqp_consumer_stop(source->consumer);
}

/* A new id: what was held for it is claimed now.  Jobs of an earlier one go on as far as they can:
 * they begin no call, and their outcomes lose if somebody has taken them over. */
static void on_session_begun(void *owner)
{
    struct source *source = owner;

    if (!source->runner->is_draining)
        follow_pause(source);
    job_claim_held(source->runner);
}

static void on_session_ended(void *owner)
{
    (void)owner; /* the session has logged it */
}

bool runner_is_ready(const struct runner *runner)
{
    for (int i = 0; i < runner->source_count; i++) {
        const struct source *source = &runner->sources[i];

        if (!(source->is_consuming || source->is_paused) ||
            !worker_session_is_alive(source->session))
            return false;
    }
    return true;
}

int runner_jobs(const struct runner *runner)
{
    return runner->job_count;
}

static void open_session(struct source *source)
{
    const struct runner_options *options = &source->runner->options;
    enum stage stage = source->step->stage;

    source->session = worker_session_create(
        source->runner->loop,
        &(struct worker_session_options){.server = options->server,
                                         .process = options->process,
                                         .stage = stage,
                                         .starts_paused = options->starts_paused,
                                         .on_view = on_view,
                                         .on_begun = on_session_begun,
                                         .on_ended = on_session_ended,
                                         .owner = source});
    source->claim_context = (struct claim_context){
        .stage = stage,
        .session = source->session,
        .process = options->process,
        .begin = source->step->reserves_stock ? &source->runner->begin_context : NULL,
    };
}

static void open_source(struct runner *runner, const struct step *step)
{
    struct source *source = &runner->sources[runner->source_count++];

    source->runner = runner;
    source->step = step;
    source->metrics = job_metrics_of(step->stage);
    open_session(source);
    source->claims = group_create(runner->loop, &claim_work,
                                  &(struct group_options){.server = runner->options.server,
                                                          .links = LINKS,
                                                          .owner = &source->claim_context});
}

/* Beside the stock: whoever reserves looks for orders that look alike before. */
static void open_twins(struct runner *runner)
{
    const struct order_policy *policy = &runner->options.policy;

    runner->twins_context = (struct twins_context){
        runner->options.process, policy->duplicate_window_ms, policy->holds_duplicates};
    if (runner->reserves)
        runner->twins = group_create(runner->loop, &twins_work,
                                     &(struct group_options){.server = runner->options.server,
                                                             .links = LINKS,
                                                             .owner = &runner->twins_context});
}

static void open_groups(struct runner *runner)
{
    const struct group_options options = {
        .server = runner->options.server, .links = LINKS, .owner = &runner->outcome_context};

    runner->outcome_context =
        (struct outcome_context){runner->options.process, runner->options.provider};
    runner->begin_context =
        (struct begin_context){&runner->options.policy, runner->options.provider};
    runner->outcomes = group_create(runner->loop, &outcome_work, &options);
    for (int i = 0; i < runner->options.step_count && runner->reserves == NULL; i++) {
        if (runner->options.steps[i]->reserves_stock)
            runner->reserves = group_create(runner->loop, &reserve_work, &options);
    }
    open_twins(runner);
}

static void on_breaker_told(void *owner)
{
    worker_session_beat(((struct runner *)owner)->sources[0].session);
}

static void open_breaker(struct runner *runner)
{
    const struct outside *outside = outside_of(runner->options.steps[0]->stage);

    if (outside == NULL)
        return;
    runner->breaker = breaker_create(runner->loop, &(struct breaker_options){
                                                       .server = runner->options.server,
                                                       .outside = outside,
                                                       .process = runner->options.process,
                                                       .policy = runner->options.breaker,
                                                       .on_told = on_breaker_told,
                                                       .owner = runner,
                                                   });
}

/* Not before it is known whether the queue is paused. */
static void open_consumer(struct source *source)
{
    static const struct amqp_consumer_events events = {
        .on_ready = on_consuming,
        .on_delivery = on_delivery,
        .on_lost = on_consumer_lost,
        .on_cancelled = on_cancelled,
    };
    const struct runner_options *options = &source->runner->options;
    const char *queue = topology_queue(source->step->stage);

    source->consumer = amqp_consumer_create(source->runner->loop, options->amqp, &topology, queue,
                                            options->prefetch, &events, source,
                                            topology_queue(source->step->stage));
}

struct runner *runner_create(uv_loop_t *loop, const struct runner_options *options)
{
    struct runner *runner = xcalloc(1, sizeof(*runner));

    runner->loop = loop;
    runner->options = *options;
    for (int state = 0; state <= LEFT; state++)
        TAILQ_INIT(&runner->lists[state]);
    open_breaker(runner);
    open_groups(runner);
    for (int i = 0; i < options->step_count; i++)
        open_source(runner, options->steps[i]);
    runner->hint = hint_create(loop, options->server);
    runner->tick = xcalloc(1, sizeof(*runner->tick));
    runner->tick->data = runner;
    uv_timer_init(loop, runner->tick);
    uv_timer_start(runner->tick, on_tick, TICK_MS, TICK_MS);
    return runner;
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void runner_destroy(struct runner *runner)
{
    hint_destroy(runner->hint);
    breaker_destroy(runner->breaker);
    group_destroy(runner->outcomes);
    group_destroy(runner->reserves);
    group_destroy(runner->twins);
    for (int i = 0; i < runner->source_count; i++) {
        group_destroy(runner->sources[i].claims);
        worker_session_destroy(runner->sources[i].session);
    }
    uv_timer_stop(runner->tick);
    uv_close((uv_handle_t *)runner->tick, free_handle);
    if (TAILQ_EMPTY(&runner->lists[LEFT])) /* an open call still points here; the process ends */
        free(runner);
}
