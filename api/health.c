/* /livez, /readyz (Postgres only: an order can be accepted without anything else), /metrics */
#include "api/api.h"
#include "base/metrics.h"

enum { METRICS_BYTES_MAX = 1024 * 1024, READY_BYTES_MAX = 4096 };

void livez_get(struct http_request *request)
{
    http_reply(request, 200, "text/plain", "ok\n", 3);
}

static const char *why_unready(const struct api *api)
{
    if (service_is_stopping(&api->service))
        return "it is ending";
    if (api->service.database.fault.kind != FAULT_NONE)
        return api->service.database.fault.text;
    if (!intake_is_ready(api->intake))
        return "no connection to Postgres";
    if (pulse_fresh_ns(api->pulse) == 0)
        return "keys and catalogue are not loaded yet";
    return NULL;
}

bool api_is_ready(const void *owner, struct text *reason)
{
    const char *why = why_unready(owner);

    text_add(reason, why ? why : "");
    return why == NULL;
}

void readyz_get(struct http_request *request)
{
    const struct api *api = api_of(request);
    const char *why = why_unready(api);
    CLEANUP(text_finish) struct text body;

    text_init(&body, READY_BYTES_MAX);
    text_print(&body, "{\"ready\":%s,\"single_node\":%s", why ? "false" : "true",
               api->service.database.is_single_node ? "true" : "false");
    if (why) {
        text_add(&body, ",\"reason\":");
        text_add_json(&body, why);
    }
    text_add(&body, "}\n");
    http_reply(request, why ? 503 : 200, "application/json", body.bytes, body.length);
}

void metrics_get(struct http_request *request)
{
    CLEANUP(text_finish) struct text body;

    text_init(&body, METRICS_BYTES_MAX);
    metrics_render(&body);
    http_reply(request, 200, "text/plain; version=0.0.4; charset=utf-8", body.bytes, body.length);
}
