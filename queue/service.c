#include "queue/service.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/http/server.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/trace.h"
#include "queue/vitals.h"

enum { METRICS_BYTES_MAX = 1024 * 1024, REASON_BYTES_MAX = 4096, HEALTH_CONNECTIONS_MAX = 64 };
enum { TRACE_CLOSE_MS = 1000 };

static void read_settings(struct service *service, enum program program)
{
    struct fault fault;
    enum log_level level;

    if (!config_load(settings_entries, settings_count, program, &service->settings, &fault)) {
        fprintf(stderr, "docket: %s\n", fault.text);
        exit(2);
    }
    if (!log_level_parse(service->settings.log_level, &level)) {
        fprintf(stderr,
                "docket: DOCKET_LOG_LEVEL is \"%s\"; allowed are debug, info, warn, error\n",
                service->settings.log_level);
        exit(2);
    }
    service->log_level = level;
    log_open(service->process, level);
}

static void open_trace(struct service *service, const char *name)
{
    char full_name[64];

    snprintf(full_name, sizeof(full_name), "docket-%s", name);
    trace_open(&service->loop, &(struct trace_options){.endpoint = service->settings.otlp_endpoint,
                                                       .header = service->settings.otlp_header,
                                                       .service = full_name,
                                                       .instance = service->process});
}

void service_begin(struct service *service, int argc, char **argv, enum program program,
                   const char *name)
{
    if (argc > 1 && strcmp(argv[argc - 1], "--help") == 0) {
        config_print_help(stdout, settings_entries, settings_count, program);
        exit(0);
    }
    vitals_register();
    trace_register_metrics();
    if (argc > 1 && strcmp(argv[argc - 1], "--metrics") == 0) {
        metrics_print_table(stdout);
        exit(0);
    }
    memset(service, 0, sizeof(*service));
    snprintf(service->process, sizeof(service->process), "%s-%d", name, (int)getpid());
    read_settings(service, program);
    database_init(&service->database, service->settings.pg, service->settings.single_node);
    srandom((unsigned)(time(NULL) ^ getpid()));
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, SIG_IGN); /* until the loop hears them */
    signal(SIGUSR2, SIG_IGN);
    setenv("UV_THREADPOOL_SIZE", "1", 0); /* names are looked up there, and nothing else is done */
    uv_loop_init(&service->loop);
    open_trace(service, name);
}

/* --- health ------------------------------------------------------------------------------------
 */

static void reply_text(struct http_request *request, int status, const char *text)
{
    http_reply(request, status, "text/plain", text, strlen(text));
}

static void get_livez(struct http_request *request)
{
    reply_text(request, 200, "alive\n");
}

static bool is_ready_to(const struct service *service, struct text *reason)
{
    text_add(reason, "");
    if (!service->is_stopping)
        return service->is_ready(service->owner, reason);
    text_add(reason, "stopping\n");
    return false;
}

static bool answer_ready(void *owner)
{
    struct text reason;
    bool is_ready;

    text_init(&reason, REASON_BYTES_MAX);
    is_ready = is_ready_to(owner, &reason);
    text_finish(&reason);
    return is_ready;
}

static void get_readyz(struct http_request *request)
{
    const struct service *service = http_owner(request);
    struct text reason;
    bool is_ready;

    text_init(&reason, REASON_BYTES_MAX);
    is_ready = is_ready_to(service, &reason);
    if (is_ready)
        text_print(&reason, "ready\nsingle_node: %s\n",
                   service->database.is_single_node ? "yes" : "no");
    reply_text(request, is_ready ? 200 : 503, reason.bytes);
    text_finish(&reason);
}

static void get_metrics(struct http_request *request)
{
    struct text text;

    text_init(&text, METRICS_BYTES_MAX);
    metrics_render(&text);
    http_reply(request, 200, "text/plain; version=0.0.4; charset=utf-8", text.bytes, text.length);
    text_finish(&text);
}

static void on_error(struct http_request *request, int status, const char *code, const char *detail)
{
    (void)code;
    reply_text(request, status, detail);
}

static bool open_health(struct service *service, struct fault *fault)
{
    static const struct http_route routes[] = {
        {"GET", "/livez", get_livez},
        {"GET", "/readyz", get_readyz},
        {"GET", "/metrics", get_metrics},
        {NULL, NULL, NULL},
    };
    struct http_server_options options = {
        .routes = routes, .limits = http_limits_default, .on_error = on_error, .owner = service};

    if (service->settings.metrics_listen == NULL)
        return true;
    options.limits.connections_max = HEALTH_CONNECTIONS_MAX;
    service->health =
        http_server_open(&service->loop, service->settings.metrics_listen, &options, fault);
    if (service->health)
        log_info("health_listening", "on port %d", http_server_port(service->health));
    return service->health != NULL;
}

/* --- the end -----------------------------------------------------------------------------------
 */

static void on_patience(uv_timer_t *timer)
{
    (void)timer;
    log_error("stopped_hard", "not everything ended in %d ms; what was promised is in Postgres",
              SERVICE_STOP_MS);
    _exit(0);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct service *service = handle->data;

    if (service->is_stopping)
        return;
    service->is_stopping = true;
    log_info("stopping", "on signal %d", number);
    uv_timer_start(&service->patience, on_patience, SERVICE_STOP_MS, 0);
    service->on_stop(service->owner);
}

static void on_log_signal(uv_signal_t *handle, int number)
{
    const struct service *service = handle->data;
    bool is_all = number == SIGUSR1;

    log_set_level(LOG_DEBUG); /* so that the change itself is told, whatever it is */
    log_info("log_level", "%s", is_all ? "debug, until SIGUSR2" : service->settings.log_level);
    if (!is_all)
        log_set_level(service->log_level);
}

static void close_handle(uv_handle_t *handle, void *data)
{
    (void)data;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void on_trace_closed(void *owner)
{
    struct service *service = owner;

    for (size_t i = 0; i < ARRAY_SIZE(service->signals); i++)
        close_handle((uv_handle_t *)&service->signals[i], NULL);
    close_handle((uv_handle_t *)&service->patience, NULL);
    uv_stop(&service->loop);
}

static void on_health_drained(void *owner)
{
    struct service *service = owner;

    service->health = NULL;
    trace_close(TRACE_CLOSE_MS, on_trace_closed, service);
}

void service_ended(struct service *service)
{
    if (service->health)
        http_server_drain(service->health, 0, on_health_drained, service);
    else
        on_health_drained(service);
}

bool service_is_stopping(const struct service *service)
{
    return service->is_stopping;
}

int service_run(struct service *service)
{
    static const struct {
        int number;
        void (*act)(uv_signal_t *handle, int number);
    } acts[] = {{SIGTERM, on_signal},
                {SIGINT, on_signal},
                {SIGUSR1, on_log_signal},
                {SIGUSR2, on_log_signal}};
    struct fault fault;

    if (!open_health(service, &fault)) {
        fprintf(stderr, "docket: %s\n", fault.text);
        return 2;
    }
    for (size_t i = 0; i < ARRAY_SIZE(acts); i++) {
        uv_signal_init(&service->loop, &service->signals[i]);
        service->signals[i].data = service;
        uv_signal_start(&service->signals[i], acts[i].act, acts[i].number);
    }
    uv_timer_init(&service->loop, &service->patience);
    vitals_watch(&service->loop, &service->database, answer_ready, service);
    uv_run(&service->loop, UV_RUN_DEFAULT);
    uv_run(&service->loop, UV_RUN_NOWAIT); /* the handles that are closing */
    log_info("stopped", "orderly");
    return 0;
}
