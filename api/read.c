/* GET /v1/orders/{id}
 *
 *     admit ─► read ┄┄► on_read ─┬─► 404, 200, 304
 *                 ▲              └─ the client has this version and would wait
 *                 └── on_woken ◄┄┄ a newer version, or the end of the wait
 *
 * Who may come to wait listens from before the read on: a hint that comes between what the read saw
 * and the wait makes it read again.
 */
#include "api/read.h"

#include <stdlib.h>
#include <string.h>

#include "api/fields.h"
#include "api/receipts.h"
#include "base/clock.h"

enum { WAIT_S_MAX = 60, US_A_MS = 1000, UNSEEN = INT32_MAX - 1 };

/* Lives until it was answered and the reader has let go of it. */
struct showing {
    struct http_request *request; /* NULL: answered */
    struct principal principal;
    struct glance glance;
    struct waiter waiter;
    uint64_t wait_until_ms;
    uint64_t deadline_ms; /* of the client, if it does not want to wait; 0: none */
    bool is_held;         /* by what reads */
    bool is_listening;    /* while it is read, the waiter takes hints */
    bool is_stale;        /* one came: there may be a newer version than the one that is read */
};

static void submit(struct showing *showing);
static void start_listening(struct showing *showing);
static void on_hint(struct waiter *waiter, bool is_late);
static void stop_listening(struct showing *showing);
static void on_read(struct glance *glance);
static void on_read_released(struct glance *glance);
static void on_woken(struct waiter *waiter, bool is_late);
static void on_gone(struct http_request *request, void *data);

void orders_get(struct http_request *request)
{
    struct principal principal;
    struct order_id id;

    if (!api_admit_read(request, SCOPE_CHECKOUT | SCOPE_ORDERS_READ, &principal))
        return;
    if (!order_id_parse(&id, http_param(request, "id")))
        problem_reply(request, &(struct problem){.code = "order_not_found"});
    else
        read_begin(request, &principal, &id);
}

void read_begin(struct http_request *request, const struct principal *principal,
                const struct order_id *id)
{
    const char *wait = http_query(request, "wait");
    struct showing *showing;
    int64_t wait_s = 0;

    if (wait && !field_number(wait, 0, WAIT_S_MAX, &wait_s)) {
        problem_reply(request, &(struct problem){.code = "invalid_query",
                                                 .detail = "wait is 0 to 60 seconds"});
        return;
    }
    showing = xcalloc(1, sizeof(*showing));
    showing->request = request;
    showing->principal = *principal;
    showing->glance.reading.id = showing->waiter.id = *id;
    showing->deadline_ms = wait_s == 0 ? deadline_of(request) : 0;
    showing->wait_until_ms = clock_monotonic_ms() + (uint64_t)wait_s * 1000;
    submit(showing);
}

static void answer_problem(struct showing *showing, const char *code)
{
    struct http_request *request = showing->request;

    showing->request = NULL;
    problem_reply(request, &(struct problem){.code = code});
}

static void free_if_over(struct showing *showing)
{
    if (showing->request == NULL && !showing->is_held)
        free(showing);
}

static void submit(struct showing *showing)
{
    struct api *api = api_of(showing->request);

    start_listening(showing);
    showing->glance.on_settled = on_read;
    showing->glance.on_released = on_read_released;
    showing->glance.etag = http_header(showing->request, "If-None-Match");
    showing->glance.reading.deadline_ms =
        showing->deadline_ms
            ? showing->deadline_ms
            : clock_monotonic_ms() + (uint64_t)api->service.settings.accept_deadline_ms;
    showing->is_held = glances_submit(api->glances, &showing->glance);
    if (!showing->is_held) {
        stop_listening(showing);
        answer_problem(showing, "overloaded");
    }
    free_if_over(showing);
}

static bool would_wait(const struct showing *showing)
{
    return clock_monotonic_ms() < showing->wait_until_ms && !showing->glance.reading.is_final &&
           !service_is_stopping(&api_of(showing->request)->service);
}

/* Not counted: the reader bounds how many are read. */
static void start_listening(struct showing *showing)
{
    showing->is_stale = false;
    if (http_header(showing->request, "If-None-Match") == NULL || !would_wait(showing))
        return;
    showing->waiter.version = UNSEEN; /* only a hint is news before the read */
    showing->waiter.until_ms = UINT64_MAX;
    showing->waiter.on_woken = on_hint;
    waiters_add_uncounted(api_of(showing->request)->waiters, &showing->waiter);
    showing->is_listening = true;
}

static void on_hint(struct waiter *waiter, bool is_late)
{
    struct showing *showing = container_of(waiter, struct showing, waiter);

    (void)is_late; /* this process ends: it will not wait */
    showing->is_listening = false;
    showing->is_stale = true;
}

static void stop_listening(struct showing *showing)
{
    if (showing->is_listening)
        waiters_remove(api_of(showing->request)->waiters, &showing->waiter);
    showing->is_listening = false;
}

const char *read_client_token(const struct http_request *request)
{
    const char *token = http_header(request, "Client-Token");

    return token ? token : http_query(request, "client_token");
}

/* Everybody who may not read it is told the same as if it were not there. */
bool read_is_allowed(const struct http_request *request, const struct principal *principal,
                     const struct reading *reading)
{
    const char *token = read_client_token(request);

    if (!reading->is_found || (principal && reading->account_id != principal->account_id))
        return false;
    return (principal && (principal->scopes & SCOPE_ORDERS_READ)) ||
           (token && client_token_is_of(&api_of(request)->token_keys, reading->token_key,
                                        &reading->id, token));
}

static void answer(struct showing *showing, bool is_known)
{
    struct http_request *request = showing->request;
    const struct reading *reading = &showing->glance.reading;

    showing->request = NULL;
    http_reply_header(request, "ETag", "\"%d\"", reading->version);
    http_reply_header(request, "Cache-Control", "private, no-cache");
    if (!reading->is_final)
        poll_header(request, reading->accepted_us / US_A_MS);
    if (is_known)
        http_reply(request, 304, NULL, NULL, 0);
    else
        http_reply(request, 200, "application/json", reading->body.bytes, reading->body.length);
}

/* False: too many wait already, and it is answered at once. */
static bool wait(struct showing *showing)
{
    showing->waiter.version = showing->glance.reading.version;
    showing->waiter.until_ms = showing->wait_until_ms;
    showing->waiter.on_woken = on_woken;
    if (!waiters_add(api_of(showing->request)->waiters, &showing->waiter))
        return false;
    http_on_gone(showing->request, on_gone, showing);
    return true;
}

static void on_read(struct glance *glance)
{
    struct showing *showing = container_of(glance, struct showing, glance);
    const struct reading *reading = &glance->reading;
    const char *etag = glance->etag;
    bool is_known;

    stop_listening(showing);
    if (!reading->is_read) {
        answer_problem(showing, "temporarily_unavailable");
    } else if (!read_is_allowed(showing->request, &showing->principal, reading)) {
        answer_problem(showing, "order_not_found");
    } else {
        is_known = etag && field_etag_is(etag, reading->version);
        if (!is_known || !would_wait(showing) || !(showing->is_stale || wait(showing)))
            answer(showing, is_known);
    }
}

static void on_read_released(struct glance *glance)
{
    struct showing *showing = container_of(glance, struct showing, glance);

    showing->is_held = false;
    if (showing->request && showing->is_stale)
        submit(showing);
    else
        free_if_over(showing);
}

/* What was read may be long ago: read again, also at the end. */
static void on_woken(struct waiter *waiter, bool is_late)
{
    struct showing *showing = container_of(waiter, struct showing, waiter);

    (void)is_late; /* would_wait() looks at the clock */
    http_on_gone(showing->request, NULL, NULL);
    submit(showing);
}

static void on_gone(struct http_request *request, void *data)
{
    struct showing *showing = data;

    waiters_remove(api_of(request)->waiters, &showing->waiter);
    showing->request = NULL;
    http_reply(request, 304, NULL, NULL, 0);
    free_if_over(showing);
}
