#include "ops/sandbox/webhooks.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "ops/sandbox/intent.h"

enum { CONNECT_MS = 2000, TOTAL_MS = 10000, CONNECTIONS_MAX = 64, DIGEST_BYTES = 32 };
enum { RETRY_MS = 200, RETRY_MS_MOST = 30000, KNOB_MS_MOST = 600000, COPIES_MOST = 10 };

struct webhook {
    TAILQ_ENTRY(webhook) link;
    struct webhooks *all;
    struct ledger_wait wait;
    uv_timer_t timer;
    struct http_call call;
    char *url, *body;
    char signature[200];
    bool is_waiting, is_sent;
    int tries;
};

static void schedule(struct webhook *webhook, int64_t ms);
static void send_webhook(struct webhook *webhook);
static void end(struct webhook *webhook);

/* --- told ---------------------------------------------------------------------------------- */

static void on_durable(struct ledger_wait *wait)
{
    struct webhook *webhook = container_of(wait, struct webhook, wait);
    struct webhooks *all = webhook->all;

    if (all->is_closing)
        end(webhook);
    else
        schedule(webhook, all->reverse ? all->delay_ms / (1 + all->waiting) : all->delay_ms);
}

static void add(struct webhooks *webhooks, const char *url, const char *body)
{
    struct webhook *webhook = xcalloc(1, sizeof(*webhook));

    webhook->all = webhooks;
    webhook->url = xstrdup(url);
    webhook->body = xstrdup(body);
    webhook->wait.on_durable = on_durable;
    uv_timer_init(webhooks->loop, &webhook->timer);
    TAILQ_INSERT_TAIL(&webhooks->open, webhook, link);
    if (!ledger_wait(webhooks->ledger, &webhook->wait))
        on_durable(&webhook->wait);
}

bool webhooks_are_wanted(const struct webhooks *webhooks)
{
    return webhooks->url_count > 0 && !webhooks->is_closing;
}

void webhooks_tell(struct webhooks *webhooks, const char *type, const char *object)
{
    char id[INTENT_ID_SIZE];
    CLEANUP(text_finish) struct text body;

    text_init(&body, SIZE_MAX / 2);
    make_id(id, "evt_");
    text_print(
        &body,
        "{\"id\":\"%s\",\"object\":\"event\",\"api_version\":\"2022-11-15\",\"created\":%" PRId64
        ",\"livemode\":false,\"type\":\"%s\",\"data\":{\"object\":%s}}",
        id, clock_wall_us() / 1000000, type, object);
    webhooks->told++;
    for (int i = 0; i < webhooks->url_count; i++)
        for (int64_t copy = 0; copy < webhooks->copies; copy++)
            add(webhooks, webhooks->urls[i], body.bytes);
}

/* --- sent ---------------------------------------------------------------------------------- */

static void on_time(uv_timer_t *timer)
{
    struct webhook *webhook = container_of(timer, struct webhook, timer);

    webhook->is_waiting = false;
    webhook->all->waiting--;
    send_webhook(webhook);
}

static void schedule(struct webhook *webhook, int64_t ms)
{
    webhook->is_waiting = true;
    webhook->all->waiting++;
    uv_timer_start(&webhook->timer, on_time, (uint64_t)ms, 0);
}

/* Anew for each try: a signature is good for some minutes. */
static void sign(struct webhook *webhook)
{
    int64_t now_s = clock_wall_us() / 1000000;
    const char *secret = webhook->all->secret;
    unsigned char digest[DIGEST_BYTES];
    CLEANUP(text_finish) struct text text;

    text_init(&text, SIZE_MAX / 2);
    text_print(&text, "%" PRId64 ".%s", now_s, webhook->body);
    if (!HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)text.bytes,
              text.length, digest, NULL))
        abort();
    text_clear(&text);
    text_print(&text, "Stripe-Signature: t=%" PRId64 ",v1=", now_s);
    text_add_hex(&text, digest, DIGEST_BYTES);
    snprintf(webhook->signature, sizeof(webhook->signature), "%s", text.bytes);
}

static void on_answered(struct http_call *call)
{
    struct webhook *webhook = container_of(call, struct webhook, call);
    struct webhooks *all = webhook->all;
    bool is_taken = call->outcome == HTTP_CALL_ANSWERED && call->status / 100 == 2;
    int64_t pause_ms = all->retry_ms << (webhook->tries < 16 ? webhook->tries : 16);

    webhook->is_sent = false;
    all->delivered += is_taken;
    all->refused += !is_taken;
    webhook->tries++;
    if (is_taken || all->is_closing || webhook->tries == WEBHOOK_TRIES) {
        all->given_up += !is_taken;
        end(webhook);
    } else {
        schedule(webhook, pause_ms < RETRY_MS_MOST ? pause_ms : RETRY_MS_MOST);
    }
}

static void send_webhook(struct webhook *webhook)
{
    sign(webhook);
    webhook->is_sent = true;
    webhook->call = (struct http_call){
        .method = "POST",
        .url = webhook->url,
        .headers = {"Content-Type: application/json", webhook->signature},
        .body = webhook->body,
        .body_length = strlen(webhook->body),
        .connect_ms = CONNECT_MS,
        .total_ms = TOTAL_MS,
        .on_done = on_answered,
        .point = "sandbox_webhook",
    };
    http_client_send(webhook->all->client, &webhook->call);
}

/* --- the end ------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
    struct webhook *webhook = container_of((uv_timer_t *)handle, struct webhook, timer);

    free(webhook->url);
    free(webhook->body);
    free(webhook);
}

static void destroy_client(struct webhooks *webhooks)
{
    if (!webhooks->is_closing || http_client_open_calls(webhooks->client) > 0)
        return;
    http_client_destroy(webhooks->client);
    webhooks->client = NULL;
}

static void end(struct webhook *webhook)
{
    struct webhooks *all = webhook->all;

    all->waiting -= webhook->is_waiting;
    TAILQ_REMOVE(&all->open, webhook, link);
    uv_close((uv_handle_t *)&webhook->timer, on_closed);
    if (all->client)
        destroy_client(all);
}

/* One that waits for the ledger is told soon, and ends then. */
void webhooks_stop(struct webhooks *webhooks)
{
    struct webhook *webhook, *next;

    webhooks->is_closing = true;
    for (webhook = TAILQ_FIRST(&webhooks->open); webhook; webhook = next) {
        next = TAILQ_NEXT(webhook, link);
        if (webhook->is_waiting)
            end(webhook);
    }
    if (webhooks->client && http_client_open_calls(webhooks->client) > 0)
        http_client_abandon(webhooks->client);
    else if (webhooks->client)
        destroy_client(webhooks);
}

static void forget_urls(struct webhooks *webhooks)
{
    while (webhooks->url_count > 0)
        free(webhooks->urls[--webhooks->url_count]);
}

void webhooks_close(struct webhooks *webhooks)
{
    forget_urls(webhooks);
    free(webhooks->secret);
}

/* --- knobs --------------------------------------------------------------------------------- */

static bool set_urls(struct webhooks *webhooks, const char *urls, struct fault *fault)
{
    CLEANUP(text_finish) struct text copy;
    char *rest, *url;

    text_init(&copy, SIZE_MAX / 2);
    text_add(&copy, urls);
    forget_urls(webhooks);
    for (rest = copy.bytes; rest && (url = strsep(&rest, " ")) != NULL;) {
        if (*url == '\0')
            continue;
        if (webhooks->url_count == WEBHOOK_URLS_MAX || strncmp(url, "http", 4) != 0)
            return fail(fault, FAULT_REFUSED,
                        "urls are http://… or https://…, separated by "
                        "spaces, %d at most",
                        WEBHOOK_URLS_MAX);
        webhooks->urls[webhooks->url_count++] = xstrdup(url);
    }
    return true;
}

static void set_secret(struct webhooks *webhooks, const char *secret)
{
    free(webhooks->secret);
    webhooks->secret = xstrdup(secret);
}

bool webhooks_set(struct webhooks *webhooks, const json_t *knobs, struct fault *fault)
{
    const char *urls = NULL, *secret = NULL;
    json_int_t copies = webhooks->copies, delay_ms = webhooks->delay_ms,
               retry_ms = webhooks->retry_ms;
    int reverse = webhooks->reverse;
    json_error_t error;

    if (json_unpack_ex((json_t *)(uintptr_t)knobs, &error, JSON_STRICT,
                       "{s?s, s?s, s?I, s?I, s?I, s?b}", "urls", &urls, "secret", &secret, "copies",
                       &copies, "delay_ms", &delay_ms, "retry_ms", &retry_ms, "reverse",
                       &reverse) != 0)
        return fail(fault, FAULT_REFUSED, "%s", error.text);
    if (copies < 1 || copies > COPIES_MOST || delay_ms < 0 || delay_ms > KNOB_MS_MOST ||
        retry_ms < 1 || retry_ms > KNOB_MS_MOST)
        return fail(fault, FAULT_REFUSED, "copies is 1 to %d, delay_ms 0 to %d, retry_ms 1 to %d",
                    COPIES_MOST, KNOB_MS_MOST, KNOB_MS_MOST);
    if (urls && !set_urls(webhooks, urls, fault))
        return false;
    if (secret)
        set_secret(webhooks, secret);
    webhooks->copies = copies;
    webhooks->delay_ms = delay_ms;
    webhooks->retry_ms = retry_ms;
    webhooks->reverse = reverse;
    return true;
}

void webhooks_render(const struct webhooks *webhooks, struct text *json)
{
    const struct webhook *webhook;
    int open = 0;

    TAILQ_FOREACH (webhook, &webhooks->open, link)
        open++;
    text_add(json, "{\"urls\":[");
    for (int i = 0; i < webhooks->url_count; i++) {
        text_add(json, i ? "," : "");
        text_add_json(json, webhooks->urls[i]);
    }
    text_print(json,
               "],\"copies\":%" PRId64 ",\"delay_ms\":%" PRId64 ",\"retry_ms\":%" PRId64
               ",\"reverse\":%s,\"told\":%" PRId64 ",\"delivered\":%" PRId64 ",\"refused\":%" PRId64
               ",\"given_up\":%" PRId64 ",\"open\":%d}",
               webhooks->copies, webhooks->delay_ms, webhooks->retry_ms,
               webhooks->reverse ? "true" : "false", webhooks->told, webhooks->delivered,
               webhooks->refused, webhooks->given_up, open);
}

bool webhooks_open(struct webhooks *webhooks, uv_loop_t *loop, struct ledger *ledger,
                   const char *urls, const char *secret, struct fault *fault)
{
    *webhooks =
        (struct webhooks){.loop = loop, .ledger = ledger, .copies = 1, .retry_ms = RETRY_MS};
    TAILQ_INIT(&webhooks->open);
    set_secret(webhooks, secret);
    webhooks->client =
        http_client_create(loop, &(struct http_client_options){.connections_max = CONNECTIONS_MAX});
    return set_urls(webhooks, urls, fault);
}
