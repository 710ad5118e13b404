#include "workers/health.h"

#include <stdlib.h>
#include <string.h>

#include "base/http/server.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/text.h"

enum { CONNECTIONS_MAX = 64, GRACE_MS = 500, ANSWER_BYTES_MAX = 4096, METRICS_BYTES_MAX = 1 << 20 };

struct health {
    struct health_options options;
    struct http_server *server;
    void (*on_closed)(void *owner);
    void *owner;
};

static void reply_json(struct http_request *request, int status, const char *state,
                       const char *reason)
{
    struct text body;

    text_init(&body, ANSWER_BYTES_MAX);
    text_print(&body, "{\"status\":\"%s\"", state);
    if (reason) {
        text_add(&body, ",\"reason\":");
        text_add_json(&body, reason);
    }
    text_add(&body, "}\n");
    http_reply(request, status, "application/json", body.bytes, body.length);
    text_finish(&body);
}

static void on_livez(struct http_request *request)
{
    reply_json(request, 200, "alive", NULL);
}

static void on_readyz(struct http_request *request)
{
    struct health *health = http_owner(request);
    struct fault fault = {0};

    if (health->options.is_ready(health->options.owner, &fault))
        reply_json(request, 200, "ready", NULL);
    else
        reply_json(request, 503, "not_ready", fault.text);
}

static void on_metrics(struct http_request *request)
{
    struct health *health = http_owner(request);
    struct text body;

    if (health->options.before_metrics)
        health->options.before_metrics(health->options.owner);
    text_init(&body, METRICS_BYTES_MAX);
    metrics_render(&body);
    http_reply(request, 200, "text/plain; version=0.0.4", body.bytes, body.length);
    text_finish(&body);
}

static void on_error(struct http_request *request, int status, const char *code, const char *detail)
{
    (void)code;
    reply_json(request, status, "error", detail);
}

struct health *health_open(uv_loop_t *loop, const struct health_options *options,
                           struct fault *fault)
{
    static const struct http_route routes[] = {
        {"GET", "/livez", on_livez},
        {"GET", "/readyz", on_readyz},
        {"GET", "/metrics", on_metrics},
        {0},
    };
    struct health *health = xcalloc(1, sizeof(*health));
    struct http_server_options server = {
        .routes = routes,
        .limits = http_limits_default,
        .on_error = on_error,
        .owner = health,
    };

    server.limits.connections_max = CONNECTIONS_MAX;
    health->options = *options;
    health->server = http_server_open(loop, options->listen, &server, fault);
    if (health->server)
        return health;
    free(health);
    return NULL;
}

int health_port(const struct health *health)
{
    return http_server_port(health->server);
}

static void on_drained(void *owner)
{
    struct health *health = owner;
    void (*on_closed)(void *) = health->on_closed;
    void *closed_owner = health->owner;

    free(health);
    on_closed(closed_owner);
}

void health_close(struct health *health, void (*on_closed)(void *owner), void *owner)
{
    if (health == NULL) {
        on_closed(owner);
        return;
    }
    health->on_closed = on_closed;
    health->owner = owner;
    http_server_drain(health->server, GRACE_MS, on_drained, health);
}
