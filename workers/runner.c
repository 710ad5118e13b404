#include "workers/runner_inside.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "queue/topology.h"
#include "workers/job_metrics.h"

enum { TICK_MS = 100, AGAIN_MS = 500 };

static void follow_pause(struct runner *runner);
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
    struct runner *runner = owner;
    struct hint_message message;
    struct job *job;

    metric_add(&job_metrics.deliveries, 1);
    metric_add(&job_metrics.redeliveries, delivery->redelivered);
    if (!read_message(delivery, runner->options.step->stage, &message)) {
        metric_add(&job_metrics.malformed, 1);
        log_warn("message_malformed", "message %s goes to the dead-letter queue",
                 delivery->message_id);
        amqp_consumer_reject(runner->consumer, delivery->link, delivery->tag);
        return;
    }
    if ((job = job_find(runner, &message.id)) == NULL) {
        job_start_claim(job_create(runner, &message.id, message.outbox_id, delivery));
    } else if (job->link != delivery->link) {
        job->link = delivery->link; /* the old connection was lost: the ack goes out on this one */
        job->tag = delivery->tag;
    } else {
        amqp_consumer_ack(runner->consumer, delivery->link, delivery->tag); /* a second hint */
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
    if (runner->is_draining)
        go_on_draining(runner);
    else
        follow_pause(runner);
}

static void on_consuming(void *owner)
{
    ((struct runner *)owner)->is_consuming = true;
}

static void on_consumer_lost(void *owner, const struct fault *fault)
{
    (void)fault; /* the link has logged it */
    ((struct runner *)owner)->is_consuming = false;
}

/* No more deliveries: the next tick goes on. */
static void on_cancelled(void *owner)
{
    ((struct runner *)owner)->is_stopped = true;
}

static void interrupt_calls(struct runner *runner)
{
    struct job *job;

    while ((job = TAILQ_FIRST(&runner->lists[CALLING])) != NULL) {
        struct order_lesson lesson = {.retry_after_ms = -1};

        job->is_interrupted = true;
        runner->options.step->interrupt(job, &lesson);
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

static void on_consumer_closed(void *owner)
{
    struct runner *runner = owner;

    runner->consumer = NULL;
    runner->is_consuming = runner->is_stopped = runner->is_closing = false;
    if (runner->is_draining)
        end_drain(runner);
}

static void close_consumer(struct runner *runner)
{
    runner->is_closing = true;
    amqp_consumer_close(runner->consumer, on_consumer_closed);
}

static void go_on_draining(struct runner *runner)
{
    struct job *job;

    if (runner->is_closing)
        return;
    while ((job = TAILQ_FIRST(&runner->lists[HELD])) != NULL) /* they are left to others */
        job_forget(job);
    if (clock_monotonic_ms() >= runner->drain_until_ms)
        interrupt_calls(runner);
    if (runner->job_count > 0)
        return;
    if (runner->consumer)
        close_consumer(runner);
    else
        end_drain(runner);
}

void runner_drain(struct runner *runner, uint64_t grace_ms, void (*on_drained)(void *owner),
                  void *owner)
{
    runner->is_draining = true;
    runner->drain_until_ms = clock_monotonic_ms() + grace_ms;
    runner->on_drained = on_drained;
    runner->drain_owner = owner;
    if (runner->consumer && !runner->is_closing)
        amqp_consumer_stop(runner->consumer);
}

/* --- paused by an operator ----------------------------------------------------------------------
 *
 *     consuming ─► basic.cancel ─► what was taken up ends, and is acked ─► closed ─► consuming
 *
 * So nothing is given back to the queue (each time would count against the delivery limit), nothing
 * is held without an ack, and what is in the queue stays there.
 */

static void open_consumer(struct runner *runner);

static void follow_pause(struct runner *runner)
{
    if (runner->consumer == NULL && !runner->is_paused && worker_session_is_alive(runner->session))
        open_consumer(runner);
    else if (runner->consumer && runner->is_stopped && !runner->is_closing &&
             runner->job_count == 0)
        close_consumer(runner);
}

static void on_view(void *owner, const struct breaker_view *view)
{
    struct runner *runner = owner;

    if (runner->breaker)
        breaker_on_view(runner->breaker, view);
    if (view->is_queue_paused == runner->is_paused)
        return;
    runner->is_paused = view->is_queue_paused;
    log_info(runner->is_paused ? "paused" : "resumed", "%s, by an operator",
             stage_name(runner->options.step->stage));
    if (runner->is_paused && runner->consumer && !runner->is_closing && !runner->is_draining)
        amqp_consumer_stop(runner->consumer);
}

/* A new id: what was held for it is claimed now.  Jobs of an earlier one go on as far as they can:
 * they begin no call, and their outcomes lose if somebody has taken them over. */
static void on_session_begun(void *owner)
{
    if (!((struct runner *)owner)->is_draining)
        follow_pause(owner);
    job_claim_held(owner);
}

static void on_session_ended(void *owner)
{
    (void)owner; /* the session has logged it */
}

bool runner_is_ready(const struct runner *runner)
{
    return (runner->is_consuming || runner->is_paused) && worker_session_is_alive(runner->session);
}

int runner_jobs(const struct runner *runner)
{
    return runner->job_count;
}

static void open_session(struct runner *runner)
{
    const struct runner_options *options = &runner->options;

    runner->session = worker_session_create(
        runner->loop, &(struct worker_session_options){.server = options->server,
                                                       .process = options->process,
                                                       .stage = options->step->stage,
                                                       .starts_paused = options->starts_paused,
                                                       .on_view = on_view,
                                                       .on_begun = on_session_begun,
                                                       .on_ended = on_session_ended,
                                                       .owner = runner});
    runner->claim_context = (struct claim_context){
        .stage = options->step->stage,
        .worker_id = worker_session_id(runner->session),
        .process = options->process,
    };
    runner->outcome_context = (struct outcome_context){options->process, options->provider};
}

static void open_groups(struct runner *runner)
{
    struct group_options options = {
        .server = runner->options.server, .links = 2, .owner = &runner->claim_context};

    runner->claims = group_create(runner->loop, &claim_work, &options);
    options.owner = &runner->outcome_context;
    runner->outcomes = group_create(runner->loop, &outcome_work, &options);
    if (runner->options.step->reserves_stock)
        runner->reserves = group_create(runner->loop, &reserve_work, &options);
}

static void on_breaker_told(void *owner)
{
    worker_session_beat(((struct runner *)owner)->session);
}

static void open_breaker(struct runner *runner)
{
    const struct outside *outside = outside_of(runner->options.step->stage);

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
static void open_consumer(struct runner *runner)
{
    static const struct amqp_consumer_events events = {
        .on_ready = on_consuming,
        .on_delivery = on_delivery,
        .on_lost = on_consumer_lost,
        .on_cancelled = on_cancelled,
    };
    const struct runner_options *options = &runner->options;
    const char *queue = topology_queue(options->step->stage);

    runner->consumer =
        amqp_consumer_create(runner->loop, options->amqp, &topology, queue, options->prefetch,
                             &events, runner, topology_queue(options->step->stage));
}

struct runner *runner_create(uv_loop_t *loop, const struct runner_options *options)
{
    struct runner *runner = xcalloc(1, sizeof(*runner));

    runner->loop = loop;
    runner->options = *options;
    for (int state = 0; state <= LEFT; state++)
        TAILQ_INIT(&runner->lists[state]);
    open_breaker(runner);
    open_session(runner);
    open_groups(runner);
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
    group_destroy(runner->claims);
    group_destroy(runner->outcomes);
    group_destroy(runner->reserves);
    worker_session_destroy(runner->session);
    uv_timer_stop(runner->tick);
    uv_close((uv_handle_t *)runner->tick, free_handle);
    if (TAILQ_EMPTY(&runner->lists[LEFT])) /* an open call still points here; the process ends */
        free(runner);
}
