#include "queue/lease.h"

#include <openssl/rand.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "schema/statements.h"

enum { PATIENCE_MS = 1500 };

enum { IS_LOCKED, FENCE, NOW }; /* the columns of lease_take.sql */

struct lease {
    struct errand *errand;
    const struct lease_events *events;
    void *owner;
    uint8_t holder[PG_UUID_BYTES]; /* of this process' life */
    uv_timer_t *timer;
    bool is_locked; /* this session has the lock of our id */

    bool is_held;
    int64_t fence;
    uint64_t asked_ms, held_until_ms; /* monotonic */

    int64_t answered_us;           /* the database's clock in the last answer */
    uint64_t asked_ns, arrived_ns; /* monotonic, around it */
    uint64_t asking_ns;
    bool is_granted; /* by the answer that is not yet committed */
    int64_t granted_fence, granted_us;

    void (*on_released)(void *owner);
};

static void ask(struct lease *lease);
static void step_down(struct lease *lease, const char *why);

static void on_timer(uv_timer_t *timer)
{
    struct lease *lease = timer->data;
    uint64_t now = clock_monotonic_ms();

    if (lease->is_held && now >= lease->held_until_ms)
        step_down(lease, "it was not renewed in time");
    if (errand_is_free(lease->errand) && !lease->on_released &&
        now - lease->asked_ms >= (lease->is_held ? LEASE_RENEW_MS : LEASE_ASK_MS))
        ask(lease);
}

static void ask(struct lease *lease)
{
    struct pg_params params;

    lease->asked_ms = clock_monotonic_ms();
    lease->asking_ns = clock_monotonic_ns();
    lease->is_granted = false;
    pg_params_init(&params);
    pg_add_uuid(&params, lease->holder);
    pg_add_i64(&params, LEASE_MS);
    pg_add_bool(&params, !lease->is_locked);
    errand_send(lease->errand, &sql_lease_take, &params);
    pg_params_finish(&params);
}

static void on_rows(void *owner, const PGresult *result)
{
    struct lease *lease = owner;

    if (PQntuples(result) != 1) /* it was given back */
        return;
    lease->is_locked |= pg_bool(result, 0, IS_LOCKED);
    if (pg_is_null(result, 0, FENCE))
        return;
    lease->is_granted = true;
    lease->granted_fence = pg_i64(result, 0, FENCE);
    lease->granted_us = pg_i64(result, 0, NOW);
}

static void note_clock(struct lease *lease)
{
    lease->answered_us = lease->granted_us;
    lease->asked_ns = lease->asking_ns;
    lease->arrived_ns = clock_monotonic_ns();
}

static void hold(struct lease *lease)
{
    bool is_new = !lease->is_held || lease->fence != lease->granted_fence;

    note_clock(lease);
    lease->held_until_ms = lease->asked_ms + LEASE_MS - LEASE_MARGIN_MS;
    lease->fence = lease->granted_fence;
    lease->is_held = true;
    if (!is_new)
        return;
    log_info("lease_taken", "this relay leads, with fence %lld", (long long)lease->fence);
    lease->events->on_taken(lease->owner, lease->fence);
}

static void tell_released(struct lease *lease)
{
    void (*on_released)(void *owner) = lease->on_released;

    lease->on_released = NULL;
    uv_timer_stop(lease->timer);
    on_released(lease->owner);
}

static void on_done(void *owner, bool is_committed)
{
    struct lease *lease = owner;

    if (lease->on_released)
        tell_released(lease);
    else if (is_committed && lease->is_granted)
        hold(lease);
    else if (is_committed && lease->is_held)
        step_down(lease, "another relay has taken it");
}

static void step_down(struct lease *lease, const char *why)
{
    lease->is_held = false;
    log_warn("lease_lost", "this relay leads no more: %s", why);
    lease->events->on_lost(lease->owner);
}

void lease_doubt(struct lease *lease)
{
    if (lease->is_held)
        step_down(lease, "the database knows another fence");
}

static void on_ready(void *owner)
{
    struct lease *lease = owner;

    lease->is_locked = false; /* it went with the session before */
    lease->asked_ms = 0;      /* at the next tick */
}

void lease_release(struct lease *lease, void (*on_released)(void *owner))
{
    struct pg_params params;

    lease->on_released = on_released;
    lease->is_held = false;
    if (!errand_is_ready(lease->errand)) {
        tell_released(lease);
        return;
    }
    if (!errand_is_free(lease->errand)) /* its end tells; what it takes, lapses by itself */
        return;
    pg_params_init(&params);
    pg_add_uuid(&params, lease->holder);
    errand_send(lease->errand, &sql_lease_release, &params);
    pg_params_finish(&params);
}

bool lease_is_held(const struct lease *lease)
{
    return lease->is_held && clock_monotonic_ms() < lease->held_until_ms;
}

bool lease_is_connected(const struct lease *lease)
{
    return errand_is_ready(lease->errand);
}

int64_t lease_clock_least_us(const struct lease *lease)
{
    return lease->answered_us + (int64_t)((clock_monotonic_ns() - lease->arrived_ns) / 1000);
}

int64_t lease_clock_most_us(const struct lease *lease)
{
    return lease->answered_us + (int64_t)((clock_monotonic_ns() - lease->asked_ns) / 1000) + 1;
}

struct lease *lease_create(uv_loop_t *loop, const struct pg_server *server,
                           const struct lease_events *events, void *owner)
{
    static const struct pg_statement *const statements[] = {&sql_lease_take, &sql_lease_release,
                                                            NULL};
    struct lease *lease = xcalloc(1, sizeof(*lease));
    const struct errand_options options = {
        .name = "lease",
        .server = server,
        .statements = statements,
        .patience_ms = PATIENCE_MS,
        .on_ready = on_ready,
        .on_rows = on_rows,
        .on_done = on_done,
        .owner = lease,
    };

    lease->events = events;
    lease->owner = owner;
    if (RAND_bytes(lease->holder, sizeof(lease->holder)) != 1)
        abort(); /* OpenSSL has no entropy: nothing here would be unique */
    lease->timer = xcalloc(1, sizeof(*lease->timer));
    lease->timer->data = lease;
    uv_timer_init(loop, lease->timer);
    uv_timer_start(lease->timer, on_timer, 0, LEASE_ASK_MS / 5);
    lease->errand = errand_create(loop, &options);
    return lease;
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

void lease_destroy(struct lease *lease)
{
    if (lease == NULL)
        return;
    errand_destroy(lease->errand);
    uv_close((uv_handle_t *)lease->timer, free_handle);
    free(lease);
}
