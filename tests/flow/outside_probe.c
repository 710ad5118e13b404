/* Asks a provider or a carrier what the command line says, and prints what the answer means.
 *
 *     outside_probe provider URL create order=ord_1 amount=1999 currency=EUR method=pm_… key=k
 *     outside_probe provider URL confirm intent=pi_… key=k
 *     outside_probe carrier URL ship|look_up reference=r-1 …
 *
 * count=N makes N calls at once, with "-1", "-2" … behind order and key.  A JSON line a call, and
 * one about the process.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/memory.h"
#include "base/text.h"
#include "workers/carriers/http_carrier.h"
#include "workers/providers/stripe.h"

struct probe {
    char order[64], key[64];
    struct payment_call payment;
    struct carrier_call carrier;
};

static int arg_count;
static char **args;
static struct http_client *client;
static int threads_most, open_most;

static const char *arg(const char *name, const char *fallback)
{
    size_t length = strlen(name);

    for (int i = 4; i < arg_count; i++)
        if (strncmp(args[i], name, length) == 0 && args[i][length] == '=')
            return args[i] + length + 1;
    return fallback;
}

static long number(const char *name, const char *fallback)
{
    return strtol(arg(name, fallback), NULL, 10);
}

static void count_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    int count = -2; /* . and .. */

    while (readdir(tasks))
        count++;
    closedir(tasks);
    threads_most = count > threads_most ? count : threads_most;
    if (http_client_open_calls(client) > open_most)
        open_most = http_client_open_calls(client);
}

static void print_texts(const char *const *pairs)
{
    struct text line;

    text_init(&line, 8192);
    for (; *pairs; pairs += 2) {
        text_add(&line, line.length ? "," : "{");
        text_add_json(&line, pairs[0]);
        text_add(&line, ":");
        text_add_json(&line, pairs[1]);
    }
    text_add(&line, "}");
    puts(line.bytes);
    text_finish(&line);
}

static void on_paid(struct payment_call *call)
{
    const struct payment_result *r = &call->result;
    struct fault fault;
    const char *order = container_of(call, struct probe, payment)->order;
    bool agrees = r->intent.id[0] &&
                  payment_intent_agrees(&r->intent, order, call->amount, call->currency, &fault);

    count_threads();
    print_texts((const char *[]){"verdict", payment_verdict_name(r->verdict), "code", r->fault.code,
                                 "text", r->fault.text, "intent", r->intent.id, "state",
                                 r->intent.id[0] ? intent_status_name(r->intent.status) : "",
                                 "decline", r->decline.code, "refund", r->refund.id, "agrees",
                                 agrees ? "yes" : "no", NULL});
}

static void on_shipped(struct carrier_call *call)
{
    const struct carrier_result *r = &call->result;

    count_threads();
    print_texts((const char *[]){"verdict", carrier_verdict_name(r->verdict), "code", r->fault.code,
                                 "text", r->fault.text, "shipment", r->shipment, "tracking",
                                 r->tracking, NULL});
}

static void pay(struct provider *provider, struct probe *probe)
{
    int operation = PAYMENT_CREATE;

    while (strcmp(payment_operation_name((enum payment_operation)operation), args[3]) != 0)
        operation++;
    probe->payment = (struct payment_call){
        .operation = (enum payment_operation)operation,
        .order = probe->order,
        .amount = number("amount", "1999"),
        .currency = arg("currency", "EUR"),
        .method = arg("method", NULL),
        .intent = arg("intent", NULL),
        .refund = arg("refund", "r-1"),
        .key = probe->key,
        .on_done = on_paid,
    };
    provider->start(provider, &probe->payment);
}

static void ship(struct carrier *carrier, struct probe *probe)
{
    static struct carrier_line line;

    line = (struct carrier_line){.sku = arg("sku", "mug"), .quantity = 1};
    probe->carrier = (struct carrier_call){
        .operation = strcmp(args[3], "ship") == 0 ? CARRIER_SHIP : CARRIER_LOOK_UP,
        .reference = arg("reference", "r-1"),
        .order = probe->order,
        .key = probe->key,
        .method = "standard",
        .name = "Ada",
        .address = "{\"line1\":\"Street 1\",\"city\":\"Town\",\"country\":\"DE\"}",
        .lines = &line,
        .line_count = 1,
        .on_done = on_shipped,
    };
    carrier->start(carrier, &probe->carrier);
}

static void run_all(uv_loop_t *loop)
{
    uint64_t timeout_ms = (uint64_t)number("timeout_ms", "5000");
    struct stripe_options stripe = {args[2], "sk_test_probe", timeout_ms, timeout_ms, false};
    struct http_carrier_options http = {args[2], "carrier", timeout_ms, timeout_ms};
    bool pays = strcmp(args[1], "provider") == 0;
    struct provider *provider = pays ? stripe_create(client, &stripe) : NULL;
    struct carrier *carrier = pays ? NULL : http_carrier_create(client, &http);
    long count = number("count", "1");
    struct probe *probes = xcalloc((size_t)count, sizeof(*probes));

    for (long i = 0; i < count; i++) {
        char suffix[24] = "";

        if (count > 1)
            snprintf(suffix, sizeof(suffix), "-%ld", i);
        snprintf(probes[i].order, sizeof(probes[i].order), "%.40s%s", arg("order", "ord_1"),
                 suffix);
        snprintf(probes[i].key, sizeof(probes[i].key), "%.40s%s", arg("key", "key"), suffix);
        if (pays)
            pay(provider, &probes[i]);
        else
            ship(carrier, &probes[i]);
    }
    count_threads();
    while (http_client_open_calls(client) > 0)
        uv_run(loop, UV_RUN_ONCE);
    if (pays)
        provider->destroy(provider);
    else
        carrier->destroy(carrier);
    free(probes);
}

int main(int argc, char **argv)
{
    struct http_client_options options = {.connections_max = 2000};
    struct rlimit files;
    uv_loop_t loop;

    if (argc < 4)
        return 2;
    arg_count = argc;
    args = argv;
    options.ca_file = arg("ca", NULL);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    uv_loop_init(&loop);
    client = http_client_create(&loop, &options);
    run_all(&loop);
    http_client_destroy(client);
    uv_run(&loop, UV_RUN_DEFAULT);
    printf("{\"threads\":%d,\"open\":%d}\n", threads_most, open_most);
    return uv_loop_close(&loop) != 0;
}
