/* docket-sandbox: a payment provider and a carrier to develop and test against. */
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/config.h"
#include "base/http/server.h"
#include "base/log.h"
#include "base/memory.h"
#include "ops/sandbox/control.h"
#include "ops/sandbox/sandbox.h"

enum { CONNECTIONS_MAX = 20000, GRACE_MS = 3000, HOUR_MS = 3600000 };

static const struct http_route routes[] = {
    {"POST", "/v1/payment_intents", provider_on_create},
    {"GET", "/v1/payment_intents", provider_on_list},
    {"GET", "/v1/payment_intents/{id}", provider_on_retrieve},
    {"POST", "/v1/payment_intents/{id}/confirm", provider_on_confirm},
    {"POST", "/v1/payment_intents/{id}/capture", provider_on_capture},
    {"POST", "/v1/payment_intents/{id}/cancel", provider_on_cancel},
    {"POST", "/v1/refunds", provider_on_refund},
    {"GET", "/v1/refunds", provider_on_list_refunds},
    {"GET", "/v1/refunds/{id}", provider_on_retrieve_refund},
    {"POST", "/shipments", carrier_on_ship},
    {"GET", "/shipments", carrier_on_look_up},
    {"GET", "/shipments/{id}", carrier_on_retrieve},
    {"GET", "/ledger", control_on_ledger},
    {"POST", "/sandbox/rules", control_on_add_rule},
    {"GET", "/sandbox/rules", control_on_list_rules},
    {"DELETE", "/sandbox/rules", control_on_clear_rules},
    {"GET", "/sandbox/settings", control_on_get_settings},
    {"PUT", "/sandbox/settings", control_on_put_settings},
    {"GET", "/sandbox/webhooks", control_on_get_webhooks},
    {"PUT", "/sandbox/webhooks", control_on_put_webhooks},
    {"GET", "/sandbox/calls", control_on_calls},
    {"POST", "/sandbox/intents/{id}/finish", control_on_finish},
    {"GET", "/livez", control_on_health},
    {"GET", "/readyz", control_on_health},
    {0},
};

struct settings {
    const char *listen, *directory, *webhook_urls, *webhook_secret;
};

static const struct config_entry entries[] = {
    {"DOCKET_SANDBOX_LISTEN", CONFIG_TEXT, "127.0.0.1:12111", 0, 0,
     "Address and port of provider, carrier and ledger; port 0 takes a free one", 1,
     offsetof(struct settings, listen)},
    {"DOCKET_SANDBOX_DIR", CONFIG_TEXT, "", 0, 0,
     "Directory of the two ledgers, made if missing; empty: all in memory, gone at the end", 1,
     offsetof(struct settings, directory)},
    {"DOCKET_SANDBOX_WEBHOOK_URLS", CONFIG_TEXT, "", 0, 0,
     "Where the provider's events are posted to, separated by spaces; empty: nowhere", 1,
     offsetof(struct settings, webhook_urls)},
    {"DOCKET_SANDBOX_WEBHOOK_SECRET", CONFIG_SECRET, "", 0, 0, "What they are signed with", 1,
     offsetof(struct settings, webhook_secret)},
};

struct program {
    struct sandbox sandbox;
    struct http_server *server;
    uv_signal_t terminated, interrupted;
    bool is_ending;
};

/* The sandbox is often started from an environment that is full of Docket's settings.  They are
 * none of its own, and config_load would take each for a misspelling. */
static void forget_other_settings(void)
{
    size_t i = 0;

    while (environ[i]) {
        const char *equals = strchr(environ[i], '=');
        char name[64] = "";

        if (equals && equals - environ[i] < (ptrdiff_t)sizeof(name))
            memcpy(name, environ[i], (size_t)(equals - environ[i]));
        if (strncmp(name, "DOCKET_", 7) == 0 && strncmp(name, "DOCKET_SANDBOX_", 15) != 0)
            unsetenv(name); /* moves the next one here */
        else
            i++;
    }
}

/* One descriptor a connection. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* --- the end ------------------------------------------------------------------------------- */

static void on_drained(void *owner)
{
    struct program *program = owner;

    program->server = NULL;
    uv_close((uv_handle_t *)&program->terminated, NULL);
    uv_close((uv_handle_t *)&program->interrupted, NULL);
}

static void on_signal(uv_signal_t *signal, int number)
{
    struct program *program = signal->data;

    if (program->is_ending)
        return;
    program->is_ending = true;
    log_info("stopping", "signal %d", number);
    exchanges_close(&program->sandbox.exchanges);
    webhooks_stop(&program->sandbox.webhooks);
    http_server_drain(program->server, GRACE_MS, on_drained, program);
}

static void close_sandbox(struct sandbox *sandbox)
{
    webhooks_close(&sandbox->webhooks);
    provider_close(&sandbox->provider);
    carrier_close(&sandbox->carrier);
    rules_clear(&sandbox->rules);
    ledger_close(sandbox->provider_ledger);
    ledger_close(sandbox->carrier_ledger);
    uv_loop_close(&sandbox->loop);
}

/* --- the beginning ------------------------------------------------------------------------- */

static bool open_sandbox(struct sandbox *sandbox, const struct settings *settings,
                         struct fault *fault)
{
    const char *directory = settings->directory;

    sandbox->provider_ledger =
        ledger_open(&sandbox->loop, directory, "provider.jsonl", &sandbox->sequence, fault);
    if (!sandbox->provider_ledger)
        return false;
    sandbox->carrier_ledger =
        ledger_open(&sandbox->loop, directory, "carrier.jsonl", &sandbox->sequence, fault);
    return sandbox->carrier_ledger &&
           webhooks_open(&sandbox->webhooks, &sandbox->loop, sandbox->provider_ledger,
                         settings->webhook_urls, settings->webhook_secret, fault) &&
           provider_open(&sandbox->provider, &sandbox->exchanges, &sandbox->webhooks,
                         sandbox->provider_ledger, fault) &&
           carrier_open(&sandbox->carrier, &sandbox->exchanges, sandbox->carrier_ledger, fault);
}

static bool open_server(struct program *program, const char *address, struct fault *fault)
{
    struct http_server_options options = {.routes = routes,
                                          .limits = http_limits_default,
                                          .on_error = control_on_error,
                                          .owner = &program->sandbox};

    options.limits.connections_max = CONNECTIONS_MAX;
    options.limits.idle_ms = HOUR_MS;
    program->server = http_server_open(&program->sandbox.loop, address, &options, fault);
    return program->server != NULL;
}

static void watch(struct program *program, uv_signal_t *signal, int number)
{
    uv_signal_init(&program->sandbox.loop, signal);
    signal->data = program;
    uv_signal_start(signal, on_signal, number);
}

static int run(struct program *program, const struct settings *settings)
{
    struct sandbox *sandbox = &program->sandbox;
    struct fault fault = {0};

    uv_loop_init(&sandbox->loop);
    sandbox->sequence = 1;
    rules_init(&sandbox->rules);
    exchanges_init(&sandbox->exchanges, &sandbox->loop, &sandbox->rules);
    if (!open_sandbox(sandbox, settings, &fault) ||
        !open_server(program, settings->listen, &fault)) {
        fprintf(stderr, "docket-sandbox: %s\n", fault.text);
        return 1;
    }
    watch(program, &program->terminated, SIGTERM);
    watch(program, &program->interrupted, SIGINT);
    log_info("ready", "listening on port %d; ledgers %s%s", http_server_port(program->server),
             *settings->directory ? "in " : "in memory", settings->directory);
    uv_run(&sandbox->loop, UV_RUN_DEFAULT);
    close_sandbox(sandbox);
    return 0;
}

int main(int argc, char **argv)
{
    static struct program program;
    static struct settings settings; /* the texts live as long */
    struct fault fault;

    if (argc > 1) {
        bool help = strcmp(argv[1], "--help") == 0;

        fprintf(help ? stdout : stderr, "usage: docket-sandbox, set by its environment:\n\n");
        config_print_help(help ? stdout : stderr, entries, ARRAY_SIZE(entries), 1);
        return help ? 0 : 2;
    }
    signal(SIGPIPE, SIG_IGN);
    forget_other_settings();
    if (!config_load(entries, ARRAY_SIZE(entries), 1, &settings, &fault)) {
        fprintf(stderr, "docket-sandbox: %s\n", fault.text);
        return 2;
    }
    log_open("sandbox", LOG_INFO);
    raise_descriptor_limit();
    return run(&program, &settings);
}
