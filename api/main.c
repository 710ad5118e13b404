/* docket-api: accepts orders and shows them
 *
 * Two listeners: one for shops and browsers, one for operators, health checks and metrics.  It
 * talks to Postgres and to nothing else.
 */
#include <stdio.h>
#include <string.h>

#include "api/admin/admin.h"
#include "api/cors.h"
#include "api/list.h"
#include "api/pages.h"
#include "api/tls.h"
#include "base/log.h"
#include "schema/statements.h"

enum {
    OPERATOR_BODY_BYTES_MAX = 8 * 1024 * 1024,
    OPERATOR_CONNECTIONS_MAX = 1000,
    LONG_POLLS_MAX = 20000,
    STREAM_UNREAD_BYTES_MAX = 64 * 1024,
    READS_WAITING_MAX = 20000,
    GRACE_MS = 7000,
    OPERATOR_GRACE_MS = 500
};

static const struct http_route public_routes[] = {
    {"GET", "/openapi.json", openapi_get},
    {"GET", "/docs/errors.md", errors_get},
    {"POST", "/v1/orders", orders_post},
    {"GET", "/v1/orders", orders_find},
    {"POST", "/v1/orders/abandon", orders_abandon},
    {"GET", "/v1/orders/{id}", orders_get},
    {"GET", "/v1/orders/{id}/events", order_events_get},
    {"POST", "/v1/orders/{id}/payment_attempts", payment_attempts_post},
    {"POST", "/v1/orders/{id}/cancel", orders_cancel},
    {"POST", "/v1/quotes", quotes_post},
    {"POST", "/v1/webhooks/stripe", stripe_webhook_post},
    {NULL, NULL, NULL},
};

/* What the server itself refuses was never looked up, and never stored. */
static void on_public_error(struct http_request *request, int status, const char *code,
                            const char *detail)
{
    bool is_order =
        strcmp(http_method(request), "POST") == 0 && strcmp(http_path(request), "/v1/orders") == 0;

    if (status == 413 && is_order)
        orders_post_too_large(request, detail);
    else if (status == 404 || status == 405 || !api_is_about_a_key(request))
        problem_on_error(request, status, code, detail);
    else
        problem_on_lost_error(request, status, code, detail);
}

static void open_pulse(struct api *api)
{
    const struct pulse_options options = {
        .listen = "LISTEN docket_orders",
        .database = &api->service.database,
        .questions =
            {
                {&sql_api_keys, keys_ask, keys_on_answer, api->keys},
                {&sql_catalogue_load, catalogue_ask, catalogue_on_answer, api->catalogue},
                {&sql_order_versions, waiters_ask, waiters_on_answer, api->waiters},
            },
        .on_notify = waiters_on_hint,
        .owner = api->waiters,
    };

    api->pulse = pulse_create(&api->service.loop, &options);
}

static void open_postgres(struct api *api)
{
    static char stripe[] = "stripe";
    struct intake_options options = {
        .database = &api->service.database,
        .waiting_max = (int)api->service.settings.accept_waiting_max,
        .batch_max = (int)api->service.settings.accept_batch_max,
    };
    const struct group_options inbox = {
        .server = &api->service.database.server, .links = 2, .owner = stripe};

    api->shed = shed_create(&api->service.loop, api);
    options.watch = shed_watch(api->shed);
    api->keys = keys_create(api->service.settings.operator_key);
    api->quotas =
        quotas_create(api->service.settings.quota_orders, api->service.settings.quota_reads);
    api->catalogue = catalogue_create();
    api->waiters = waiters_create(&api->service.loop, LONG_POLLS_MAX);
    api->hint = hint_create(&api->service.loop, &api->service.database.server);
    api->intake = intake_create(&api->service.loop, &options);
    api->inbox = group_create(&api->service.loop, &inbox_work, &inbox);
    api->reader = reader_create(&api->service.loop, &api->service.database, READS_WAITING_MAX,
                                api->service.settings.payment_attempts_max);
    api->glances =
        glances_create(&api->service.loop, &api->service.database, api->reader, READS_WAITING_MAX);
    api->events = events_create(api);
    list_open(api);
    attempts_open(api);
    cancel_open(api);
    admin_open(api);
    open_pulse(api);
}

static bool open_listeners(struct api *api, struct fault *fault)
{
    struct http_server_options options = {
        .routes = public_routes,
        .limits = http_limits_default,
        .on_error = on_public_error,
        .on_answering = cors_on_answering,
        .tls = api->tls,
        .owner = api,
    };

    options.limits.body_bytes_max = (size_t)api->service.settings.body_bytes_max;
    options.limits.connections_max = (int)api->service.settings.connections_max;
    options.limits.unread_bytes_max = STREAM_UNREAD_BYTES_MAX;
    api->public_server =
        http_server_open(&api->service.loop, api->service.settings.api_listen, &options, fault);
    if (api->public_server == NULL)
        return false;
    options.routes = admin_routes;
    options.on_answering = NULL;
    options.tls = api->service.settings.operator_tls ? api->tls : NULL;
    options.on_error = problem_on_error;
    options.limits.body_bytes_max = OPERATOR_BODY_BYTES_MAX;
    options.limits.connections_max = OPERATOR_CONNECTIONS_MAX;
    api->operator_server = http_server_open(&api->service.loop,
                                            api->service.settings.operator_listen, &options, fault);
    return api->operator_server != NULL;
}

/* Nothing new is taken, long polls are answered, streams ended, orders in flight are committed. The
 * operators' listener goes last, so that /readyz says what is happening. */
static void on_operators_drained(void *owner)
{
    struct api *api = owner;

    api->operator_server = NULL;
    service_ended(&api->service);
}

static void on_public_drained(void *owner)
{
    struct api *api = owner;

    api->public_server = NULL;
    http_server_drain(api->operator_server, OPERATOR_GRACE_MS, on_operators_drained, api);
}

static void on_stop(void *owner)
{
    struct api *api = owner;

    events_stop(api->events);
    waiters_wake_all(api->waiters);
    http_server_drain(api->public_server, GRACE_MS, on_public_drained, api);
}

static void close_postgres(struct api *api)
{
    intake_destroy(api->intake);
    shed_destroy(api->shed);
    group_destroy(api->inbox);
    glances_destroy(api->glances);
    reader_destroy(api->reader);
    list_close(api);
    attempts_close(api);
    cancel_close(api);
    admin_close(api);
    pulse_destroy(api->pulse);
    events_destroy(api->events);
    waiters_destroy(api->waiters);
    hint_destroy(api->hint);
    keys_destroy(api->keys);
    quotas_destroy(api->quotas);
    tls_close(api);
    catalogue_destroy(api->catalogue);
    uv_run(&api->service.loop, UV_RUN_NOWAIT); /* the handles that were closed */
}

static int refuse_to_start(const struct fault *fault)
{
    fprintf(stderr, "docket-api: %s\n", fault->text);
    return 2;
}

int main(int argc, char **argv)
{
    static struct api api;
    struct fault fault;
    int status;

    stats_register();
    service_begin(&api.service, argc, argv, PROGRAM_API, "api");
    api.service.on_stop = on_stop;
    api.service.is_ready = api_is_ready;
    api.service.owner = &api;
    if (!token_keys_parse(&api.token_keys, api.service.settings.token_keys, &fault))
        return refuse_to_start(&fault);
    if (!webhook_secrets_parse(&api.webhook_secrets, api.service.settings.webhook_secrets, &fault))
        return refuse_to_start(&fault);
    if (!cors_check(api.service.settings.cors_origins, &fault))
        return refuse_to_start(&fault);
    if (!tls_open(&api, &fault))
        return refuse_to_start(&fault);
    open_postgres(&api);
    if (!open_listeners(&api, &fault))
        return refuse_to_start(&fault);
    stats_watch(&api);
    log_info("started", "orders at %s, operators at %s", api.service.settings.api_listen,
             api.service.settings.operator_listen);
    status = service_run(&api.service);
    close_postgres(&api);
    return status;
}
