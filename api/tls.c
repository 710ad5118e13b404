#include "api/tls.h"

#include "base/http/tls.h"
#include "base/log.h"
#include "base/metrics.h"

enum { DAY_S = 86400, DAY_MS = DAY_S * 1000, SOON_DAYS = 14 };

static struct metric expires =
    METRIC(METRIC_GAUGE, "docket_tls_expires_seconds",
           "Until the certificate of the listeners expires; below zero: it has; 0: there is none.");

static uv_signal_t hang_up;
static uv_timer_t daily;

void tls_register_metrics(void)
{
    metric_register(&expires);
}

void tls_refresh(const struct api *api)
{
    metric_set(&expires, api->tls ? http_tls_expires_s(api->tls) : 0);
}

static void look_at_expiry(const struct api *api)
{
    int64_t left_s = http_tls_expires_s(api->tls);

    if (left_s < (int64_t)SOON_DAYS * DAY_S)
        log_warn("tls_expires", "the certificate %s expires in %lld days: renew it, then SIGHUP",
                 api->service.settings.tls_cert, (long long)(left_s / DAY_S));
}

static void on_day(uv_timer_t *timer)
{
    look_at_expiry(timer->data);
}

static void on_hang_up(uv_signal_t *handle, int number)
{
    struct api *api = handle->data;
    struct fault fault;

    (void)number;
    if (!http_tls_reload(api->tls, &fault)) {
        log_error("tls_not_reloaded", "the certificate before stays: %s", fault.text);
        return;
    }
    log_info("tls_reloaded", "new connections get the certificate of %s",
             api->service.settings.tls_cert);
    look_at_expiry(api);
}

static void watch(struct api *api)
{
    uv_loop_t *loop = &api->service.loop;

    uv_signal_init(loop, &hang_up);
    uv_timer_init(loop, &daily);
    hang_up.data = daily.data = api;
    uv_signal_start(&hang_up, on_hang_up, SIGHUP);
    uv_timer_start(&daily, on_day, 0, DAY_MS);
    uv_unref((uv_handle_t *)&hang_up);
    uv_unref((uv_handle_t *)&daily);
}

bool tls_open(struct api *api, struct fault *fault)
{
    const struct settings *settings = &api->service.settings;
    bool has_cert = settings->tls_cert[0] != '\0', has_key = settings->tls_key[0] != '\0';

    if (has_cert != has_key)
        return fail(fault, FAULT_REFUSED, "set both DOCKET_TLS_CERT and DOCKET_TLS_KEY, or none");
    if (!has_cert && settings->operator_tls)
        return fail(fault, FAULT_REFUSED,
                    "DOCKET_OPERATOR_TLS=1 needs DOCKET_TLS_CERT and DOCKET_TLS_KEY");
    if (!has_cert)
        return true;
    api->tls = http_tls_open(settings->tls_cert, settings->tls_key, fault);
    if (api->tls == NULL)
        return false;
    watch(api);
    return true;
}

void tls_close(struct api *api)
{
    http_tls_destroy(api->tls);
}
