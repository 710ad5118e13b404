#include "base/http/client.h"

#include <assert.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/http/client_origin.h"
#include "base/http/client_sockets.h"
#include "base/http/client_transfer.h"
#include "base/memory.h"

/* send ─► waiting (for the name, for a connection's turn) ─► running ─► over ─► on_done */

struct http_client {
    CURLM *multi;
    struct http_sockets sockets;
    struct http_origins origins;
    const char *ca_file;
    int connections_max, open_calls;
    uv_timer_t curl_timer;
    uv_timer_t wait_timer; /* of those that wait, and of those that are over and to be told */
    struct http_transfers running, over;
    int timers_open;
};

static void admit(struct http_client *client, struct http_origin *origin);
static uint64_t wait_left_ms(const struct http_transfer *transfer);
static void wake_within(struct http_client *client, uint64_t ms);
static void give_up(struct http_transfer *transfer, CURLcode result, const char *detail,
                    struct http_transfers *over);
static void on_wait_timer(uv_timer_t *timer);
static void on_looked_up(void *owner, struct http_origin *origin, const char *error);
static void on_socket_event(void *owner, curl_socket_t fd, int flags);
static void settle(struct http_client *client);
static void tell(struct http_client *client, struct http_transfers *over);

void http_client_send(struct http_client *client, struct http_call *call)
{
    struct http_transfer *transfer = http_transfer_create(call);

    assert(call->connect_ms > 0 && call->total_ms > 0);
    call->private = transfer;
    call->status = 0;
    call->retry_after_ms = -1;
    call->should_retry = call->should_not_retry = false;
    call->request_id[0] = '\0';
    client->open_calls++;
    transfer->origin = http_origin_of_url(&client->origins, call->url);
    if (transfer->origin) {
        TAILQ_INSERT_TAIL(&transfer->origin->waiting, transfer, entry);
        admit(client, transfer->origin);
    } else {
        give_up(transfer, CURLE_URL_MALFORMAT, "it is no http or https URL", &client->over);
    }
    if (transfer->easy == NULL)
        wake_within(client, transfer->origin ? wait_left_ms(transfer) : 0);
}

/* Starts what may start.  libcurl does nothing but note the handle here: the first step comes from
 * its timer. */
static void admit(struct http_client *client, struct http_origin *origin)
{
    struct http_transfer *transfer;

    while ((transfer = TAILQ_FIRST(&origin->waiting)) != NULL &&
           origin->running < client->connections_max && http_origin_is_known(origin)) {
        TAILQ_REMOVE(&origin->waiting, transfer, entry);
        http_transfer_prepare(transfer, origin->resolve, &client->sockets, client->ca_file);
        TAILQ_INSERT_TAIL(&client->running, transfer, entry);
        origin->running++;
        if (curl_multi_add_handle(client->multi, transfer->easy) != CURLM_OK)
            abort(); /* called from inside one of libcurl's callbacks (may_send) */
    }
}

/* --- waiting --------------------------------------------------------------------------------- */

/* To be connected includes to get a connection's turn. */
static uint64_t wait_left_ms(const struct http_transfer *transfer)
{
    const struct http_call *call = transfer->call;
    uint64_t age_ms = http_transfer_age_ms(transfer);
    uint64_t limit_ms = call->connect_ms < call->total_ms ? call->connect_ms : call->total_ms;

    return limit_ms > age_ms ? limit_ms - age_ms : 0;
}

/* The timer may come too early, as when the one who set it has left the queue meanwhile. */
static void wake_within(struct http_client *client, uint64_t ms)
{
    if (!uv_is_active((uv_handle_t *)&client->wait_timer) ||
        uv_timer_get_due_in(&client->wait_timer) > ms)
        uv_timer_start(&client->wait_timer, on_wait_timer, ms, 0);
}

static void give_up(struct http_transfer *transfer, CURLcode result, const char *detail,
                    struct http_transfers *over)
{
    snprintf(transfer->detail, sizeof(transfer->detail), "%s", detail);
    http_transfer_conclude(transfer, result);
    TAILQ_INSERT_TAIL(over, transfer, entry);
}

static void on_wait_timer(uv_timer_t *timer)
{
    struct http_client *client = container_of(timer, struct http_client, wait_timer);
    struct http_transfers over = TAILQ_HEAD_INITIALIZER(over);
    struct http_origin *origin;
    struct http_transfer *transfer, *next;

    TAILQ_CONCAT(&over, &client->over, entry);
    SLIST_FOREACH (origin, &client->origins.list, entry)
        for (transfer = TAILQ_FIRST(&origin->waiting); transfer; transfer = next) {
            uint64_t left_ms = wait_left_ms(transfer);

            next = TAILQ_NEXT(transfer, entry);
            if (left_ms > 0) {
                wake_within(client, left_ms);
                continue;
            }
            TAILQ_REMOVE(&origin->waiting, transfer, entry);
            give_up(transfer, CURLE_OPERATION_TIMEDOUT,
                    origin->running > 0 ? "all connections were busy until its deadline"
                                        : "its name was not found before its deadline",
                    &over);
        }
    tell(client, &over);
}

static void on_looked_up(void *owner, struct http_origin *origin, const char *error)
{
    struct http_client *client = owner;
    struct http_transfers over = TAILQ_HEAD_INITIALIZER(over);
    struct http_transfer *transfer;

    while (error && (transfer = TAILQ_FIRST(&origin->waiting)) != NULL) {
        TAILQ_REMOVE(&origin->waiting, transfer, entry);
        give_up(transfer, CURLE_COULDNT_RESOLVE_HOST, error, &over);
    }
    admit(client, origin);
    tell(client, &over);
}

/* --- running --------------------------------------------------------------------------------- */

static void on_curl_timer(uv_timer_t *timer)
{
    struct http_client *client = container_of(timer, struct http_client, curl_timer);

    on_socket_event(client, CURL_SOCKET_TIMEOUT, 0);
}

/* May come from inside any libcurl call: only notes when to go on. */
static int on_timer_wanted(CURLM *multi, long timeout_ms, void *data)
{
    struct http_client *client = data;

    (void)multi;
    if (timeout_ms < 0)
        uv_timer_stop(&client->curl_timer);
    else
        uv_timer_start(&client->curl_timer, on_curl_timer, (uint64_t)timeout_ms, 0);
    return 0;
}

static void on_socket_event(void *owner, curl_socket_t fd, int flags)
{
    struct http_client *client = owner;
    int running;

    curl_multi_socket_action(client->multi, fd, flags, &running);
    settle(client);
}

static void leave_curl(struct http_client *client, struct http_transfer *transfer)
{
    TAILQ_REMOVE(&client->running, transfer, entry);
    transfer->origin->running--;
    curl_multi_remove_handle(client->multi, transfer->easy);
}

/* Takes what libcurl has finished; the owners are told last, since they may send again or, with
 * the last one, destroy the client. */
static void settle(struct http_client *client)
{
    struct http_transfers over = TAILQ_HEAD_INITIALIZER(over);
    struct http_transfer *transfer;
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
        CURLcode result = message->data.result; /* the message dies with remove_handle */
        struct http_origin *origin;

        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        origin = transfer->origin;
        leave_curl(client, transfer);
        http_transfer_conclude(transfer, result);
        if (result == CURLE_COULDNT_CONNECT)
            origin->is_stale = true;
        TAILQ_INSERT_TAIL(&over, transfer, entry);
        admit(client, origin);
    }
    tell(client, &over);
}

static void tell(struct http_client *client, struct http_transfers *over)
{
    struct http_transfer *transfer;

    while ((transfer = TAILQ_FIRST(over)) != NULL) {
        TAILQ_REMOVE(over, transfer, entry);
        client->open_calls--;
        transfer->call->on_done(transfer->call); /* the client and the call may be gone now */
        http_transfer_destroy(transfer);
    }
}

void http_client_abandon(struct http_client *client)
{
    static const char why[] = "its process is stopping";
    struct http_origin *origin;
    struct http_transfer *transfer;

    while ((transfer = TAILQ_FIRST(&client->running)) != NULL) {
        leave_curl(client, transfer);
        give_up(transfer, CURLE_ABORTED_BY_CALLBACK, why, &client->over);
    }
    SLIST_FOREACH (origin, &client->origins.list, entry)
        while ((transfer = TAILQ_FIRST(&origin->waiting)) != NULL) {
            TAILQ_REMOVE(&origin->waiting, transfer, entry);
            give_up(transfer, CURLE_ABORTED_BY_CALLBACK, why, &client->over);
        }
    wake_within(client, 0);
}

int http_client_open_calls(const struct http_client *client)
{
    return client->open_calls;
}

/* --- life ------------------------------------------------------------------------------------ */

struct http_client *http_client_create(uv_loop_t *loop, const struct http_client_options *options)
{
    struct http_client *client = xcalloc(1, sizeof(*client));

    curl_global_init(CURL_GLOBAL_DEFAULT);
    client->multi = curl_multi_init();
    if (client->multi == NULL)
        abort();
    client->ca_file = options->ca_file;
    client->connections_max = options->connections_max;
    TAILQ_INIT(&client->running);
    TAILQ_INIT(&client->over);
    http_sockets_init(&client->sockets, loop);
    client->sockets.on_event = on_socket_event;
    client->sockets.owner = client;
    http_origins_init(&client->origins, loop);
    client->origins.on_looked_up = on_looked_up;
    client->origins.owner = client;
    uv_timer_init(loop, &client->curl_timer);
    uv_timer_init(loop, &client->wait_timer);
    client->timers_open = 2;
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, http_sockets_watch);
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, &client->sockets);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)options->connections_max);
    return client;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct http_client *client = handle->data;

    if (--client->timers_open == 0)
        free(client);
}

void http_client_destroy(struct http_client *client)
{
    if (client == NULL)
        return;
    assert(client->open_calls == 0);
    curl_multi_cleanup(client->multi); /* closes the idle connections through http_sockets_close */
    http_sockets_finish(&client->sockets);
    http_origins_finish(&client->origins);
    client->curl_timer.data = client->wait_timer.data = client;
    uv_close((uv_handle_t *)&client->curl_timer, on_timer_closed);
    uv_close((uv_handle_t *)&client->wait_timer, on_timer_closed);
}
