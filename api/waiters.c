#include "api/waiters.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/metrics.h"

enum { BUCKETS = 4096, TICK_MS = 100 };

LIST_HEAD(bucket, waiter);

struct waiters {
    struct bucket buckets[BUCKETS];
    int count, count_max, uncounted;
    uv_timer_t *tick;
};

enum { BY_HINT, BY_QUESTION };

static const char woken_help[] =
    "Long polls and streams told of a newer version: by its hint, or by the second's question, "
    "since none came.";

static struct metric woken[] = {
    [BY_HINT] = {.type = METRIC_COUNTER,
                 .name = "docket_waiters_woken_total",
                 .help = woken_help,
                 .labels = "by=\"hint\""},
    [BY_QUESTION] = {.type = METRIC_COUNTER,
                     .name = "docket_waiters_woken_total",
                     .help = woken_help,
                     .labels = "by=\"question\""},
};

static struct bucket *bucket_of(struct waiters *waiters, const struct order_id *id)
{
    return &waiters->buckets[order_id_hash(id) % BUCKETS];
}

static void add(struct waiters *waiters, struct waiter *waiter, bool is_counted)
{
    LIST_INSERT_HEAD(bucket_of(waiters, &waiter->id), waiter, next);
    waiter->is_counted = is_counted;
    *(is_counted ? &waiters->count : &waiters->uncounted) += 1;
}

bool waiters_add(struct waiters *waiters, struct waiter *waiter)
{
    if (waiters->count >= waiters->count_max)
        return false;
    add(waiters, waiter, true);
    return true;
}

void waiters_add_uncounted(struct waiters *waiters, struct waiter *waiter)
{
    add(waiters, waiter, false);
}

void waiters_remove(struct waiters *waiters, struct waiter *waiter)
{
    LIST_REMOVE(waiter, next);
    *(waiter->is_counted ? &waiters->count : &waiters->uncounted) -= 1;
}

static bool is_of(const struct waiter *waiter, const struct order_id *id)
{
    return memcmp(waiter->id.bytes, id->bytes, ORDER_ID_BYTES) == 0;
}

/* First moved, then told: who is told may wait again. */
static void take(struct waiters *waiters, struct waiter *waiter, struct bucket *taken)
{
    waiters_remove(waiters, waiter);
    LIST_INSERT_HEAD(taken, waiter, next);
}

static void tell(struct bucket *taken, bool is_late)
{
    struct waiter *waiter;

    while ((waiter = LIST_FIRST(taken)) != NULL) {
        LIST_REMOVE(waiter, next);
        waiter->on_woken(waiter, is_late);
    }
}

static void wake(struct waiters *waiters, const struct order_id *id, int32_t version, int by)
{
    struct bucket taken = LIST_HEAD_INITIALIZER(taken);
    struct waiter *waiter = LIST_FIRST(bucket_of(waiters, id)), *following;

    for (; waiter; waiter = following) {
        following = LIST_NEXT(waiter, next);
        if (is_of(waiter, id) && waiter->version < version) {
            metric_add(&woken[by], 1);
            take(waiters, waiter, &taken);
        }
    }
    tell(&taken, false);
}

void waiters_on_hint(void *owner, const char *payload)
{
    char uuid[ORDER_ID_UUID_SIZE];
    struct order_id id;

    for (; strlen(payload) >= ORDER_ID_UUID_SIZE - 1; payload += *payload == ',') {
        memcpy(uuid, payload, ORDER_ID_UUID_SIZE - 1);
        uuid[ORDER_ID_UUID_SIZE - 1] = '\0';
        payload += ORDER_ID_UUID_SIZE - 1;
        if (!order_id_parse_uuid(&id, uuid))
            return; /* it is only a hint */
        wake(owner, &id, INT32_MAX, BY_HINT);
    }
}

bool waiters_ask(void *owner, struct pg_params *params)
{
    const struct waiters *waiters = owner;
    const struct waiter *waiter;

    if (waiters->count + waiters->uncounted == 0)
        return false;
    pg_array_begin(params, PG_UUID);
    for (int i = 0; i < BUCKETS; i++) {
        LIST_FOREACH (waiter, &waiters->buckets[i], next)
            pg_array_uuid(params, waiter->id.bytes);
    }
    pg_array_end(params);
    return true;
}

void waiters_on_answer(void *owner, const PGresult *result)
{
    struct order_id id;
    size_t length;

    for (int row = 0; row < PQntuples(result); row++) {
        const uint8_t *bytes = pg_bytes(result, row, 0, &length);

        memcpy(id.bytes, bytes, ORDER_ID_BYTES);
        wake(owner, &id, pg_i32(result, row, 1), BY_QUESTION);
    }
}

static void expire(struct waiters *waiters, uint64_t now_ms)
{
    struct bucket taken = LIST_HEAD_INITIALIZER(taken);
    struct waiter *waiter, *following;

    for (int i = 0; waiters->count + waiters->uncounted > 0 && i < BUCKETS; i++) {
        for (waiter = LIST_FIRST(&waiters->buckets[i]); waiter; waiter = following) {
            following = LIST_NEXT(waiter, next);
            if (now_ms >= waiter->until_ms)
                take(waiters, waiter, &taken);
        }
    }
    tell(&taken, true);
}

static void on_tick(uv_timer_t *timer)
{
    expire(timer->data, clock_monotonic_ms());
}

void waiters_wake_all(struct waiters *waiters)
{
    expire(waiters, UINT64_MAX);
}

int waiters_count(const struct waiters *waiters)
{
    return waiters->count;
}

void waiters_register_metrics(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(woken); i++)
        metric_register(&woken[i]);
}

struct waiters *waiters_create(uv_loop_t *loop, int count_max)
{
    struct waiters *waiters = xcalloc(1, sizeof(*waiters));

    waiters->count_max = count_max;
    waiters->tick = xcalloc(1, sizeof(*waiters->tick));
    waiters->tick->data = waiters;
    uv_timer_init(loop, waiters->tick);
    uv_timer_start(waiters->tick, on_tick, TICK_MS, TICK_MS);
    return waiters;
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

void waiters_destroy(struct waiters *waiters)
{
    if (waiters == NULL)
        return;
    uv_close((uv_handle_t *)waiters->tick, free_handle);
    free(waiters);
}
