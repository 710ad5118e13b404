#include "api/shed.h"

#include <stdlib.h>

#include "api/api.h"
#include "api/receipts.h"
#include "api/recent_keys.h"
#include "api/shed_rule.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"

enum { US_A_MS = 1000, TICK_MS = 10, TICK_US = TICK_MS * US_A_MS };

struct shed {
    struct api *api;
    struct shed_rule rule;
    struct recent_keys *recent;
    uv_timer_t *tick; /* runs while shedding: is the loop late? */
    uint64_t due_us;
    bool pushes_back;
};

#define REFUSED(variable, reason)                                                                  \
    static struct metric variable = {                                                              \
        .type = METRIC_COUNTER,                                                                    \
        .name = "docket_accept_shed_total",                                                        \
        .help = "New orders that were refused because too many waited, or would be late.",         \
        .labels = "then=\"" reason "\"",                                                           \
    }
REFUSED(answered, "answered");
REFUSED(held, "held");
static struct metric known = METRIC(METRIC_COUNTER, "docket_accept_known_total",
                                    "Repeated keys that were taken where new orders were refused.");
static struct metric shedding =
    METRIC(METRIC_GAUGE, "docket_accept_shedding", "1: new orders are refused for their delay.");
static struct metric room =
    METRIC(METRIC_GAUGE, "docket_accept_room", "How many new orders may wait for a batch now.");

void shed_register_metrics(void)
{
    static struct metric *const all[] = {&answered, &held, &known, &shedding, &room};

    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        metric_register(all[i]);
}

static void on_taken(void *watcher, int taken, int left, uint64_t youngest_wait_us);

static uint64_t now_us(void)
{
    return clock_monotonic_ns() / 1000;
}

static void push_back(struct shed *shed, bool pushes_back)
{
    if (shed->pushes_back == pushes_back)
        return;
    shed->pushes_back = pushes_back;
    http_server_pause(shed->api->public_server, pushes_back);
}

/* Late is what came after this loop turn was begun, too: the turn before it took so long. */
static void on_tick(uv_timer_t *timer)
{
    struct shed *shed = timer->data;
    uint64_t now = now_us();

    push_back(shed, shed->api->public_server &&
                        shed_rule_pushes_back(&shed->rule, (int64_t)(now - shed->due_us)));
    shed->due_us = now + TICK_US;
    if (intake_is_idle(shed->api->intake))
        on_taken(shed, 0, 0, 0); /* nobody comes any more: that is calm, too */
}

static void begin(struct shed *shed)
{
    log_warn("shedding", "orders wait longer than DOCKET_ACCEPT_DELAY_MS: new ones are refused");
    shed->due_us = now_us() + TICK_US;
    uv_timer_start(shed->tick, on_tick, TICK_MS, TICK_MS);
}

static void end(struct shed *shed)
{
    log_info("shedding_ended", "new orders are taken again");
    uv_timer_stop(shed->tick);
    if (shed->api->public_server)
        push_back(shed, false);
}

static void on_taken(void *watcher, int taken, int left, uint64_t youngest_wait_us)
{
    struct shed *shed = watcher;
    bool was_shedding = shed->rule.is_shedding;

    (void)taken;
    shed_rule_on_taken(&shed->rule, (int64_t)now_us(), left, (int64_t)youngest_wait_us);
    if (shed->rule.is_shedding == was_shedding)
        return;
    metric_set(&shedding, shed->rule.is_shedding);
    if (shed->rule.is_shedding)
        begin(shed);
    else
        end(shed);
}

static void on_committed(void *watcher, int count, uint64_t took_us)
{
    struct shed *shed = watcher;

    shed_rule_on_committed(&shed->rule, count, (int64_t)took_us);
    metric_set(&room, shed_rule_room(&shed->rule));
}

struct group_watch shed_watch(struct shed *shed)
{
    return (struct group_watch){
        .on_taken = on_taken, .on_committed = on_committed, .watcher = shed};
}

/* The refusal is the same whether the connection is held or not: its client was told to pause for
 * longer than that. */
static void refuse(struct shed *shed, struct http_request *request)
{
    metric_add(shed->pushes_back ? &held : &answered, 1);
    if (shed->pushes_back)
        http_reply_hold(request);
    shed_reply(request);
}

bool shed_takes(struct http_request *request, const struct principal *principal, const char *key,
                uint64_t deadline_ms)
{
    struct api *api = api_of(request);
    struct shed *shed = api->shed;
    int64_t patience_us = ((int64_t)deadline_ms - (int64_t)clock_monotonic_ms()) * US_A_MS;

    if (shed_rule_takes(&shed->rule, intake_accepts_waiting(api->intake), patience_us))
        return true;
    if (patience_us > 0 && recent_keys_has(shed->recent, principal->account_id, key)) {
        metric_add(&known, 1);
        return true;
    }
    refuse(shed, request);
    return false;
}

void shed_note_key(struct shed *shed, const struct principal *principal, const char *key)
{
    recent_keys_add(shed->recent, principal->account_id, key);
}

struct shed *shed_create(uv_loop_t *loop, struct api *api)
{
    struct shed *shed = xcalloc(1, sizeof(*shed));

    shed->api = api;
    shed->rule.delay_us = api->service.settings.accept_delay_ms * US_A_MS;
    shed->rule.batch_max = (int)api->service.settings.accept_batch_max;
    shed->recent = recent_keys_create(clock_monotonic_ns());
    shed->tick = xcalloc(1, sizeof(*shed->tick));
    shed->tick->data = shed;
    uv_timer_init(loop, shed->tick);
    uv_unref((uv_handle_t *)shed->tick);
    return shed;
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

void shed_destroy(struct shed *shed)
{
    if (shed == NULL)
        return;
    uv_close((uv_handle_t *)shed->tick, free_handle);
    recent_keys_destroy(shed->recent);
    free(shed);
}
