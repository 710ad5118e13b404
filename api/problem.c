#include "api/problem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/metrics.h"
#include "base/text.h"

enum { BODY_BYTES_MAX = 64 * 1024 };

/* What a client may do: not again like this; again, the same way; again, after a pause. */
enum again { NEVER, SOON, AFTER_PAUSE };

static const struct {
    const char *code;
    int status;
    enum again again;
    const char *title;
} kinds[] = {
    {"malformed_request", 400, NEVER, "The request is not valid HTTP/1.1"},
    {"idempotency_key_required", 400, NEVER, "An Idempotency-Key is required"},
    {"idempotency_key_invalid", 400, NEVER, "The Idempotency-Key is not valid"},
    {"incomplete_request", 400, SOON, "The request stopped half-way"},
    {"invalid_json", 400, NEVER, "The body is not valid JSON"},
    {"webhook_signature_invalid", 400, NEVER, "The event is not signed by the provider"},
    {"webhook_event_invalid", 400, NEVER, "The body is no event of the provider's"},
    {"invalid_query", 400, NEVER, "The query is not valid"},
    {"unauthorized", 401, NEVER, "A valid API key is required"},
    {"forbidden", 403, NEVER, "The API key lacks the scope"},
    {"not_found", 404, NEVER, "There is nothing here"},
    {"order_not_found", 404, NEVER, "There is no such order for this key"},
    {"method_not_allowed", 405, NEVER, "The method is not allowed here"},
    {"request_timeout", 408, SOON, "The request came too slowly"},
    {"idempotency_in_flight", 409, AFTER_PAUSE, "The key is being committed"},
    {"key_abandoned", 409, NEVER, "The key was abandoned"},
    {"cart_already_ordered", 409, NEVER, "The cart was already ordered"},
    {"cart_closed", 409, NEVER, "The cart's order was canceled"},
    {"order_not_held", 409, NEVER, "The order is not held as a possible duplicate"},
    {"order_shipped", 409, NEVER, "The order is shipped"},
    {"payment_not_resolvable", 409, NEVER, "The payment cannot be resolved"},
    {"order_not_refundable", 409, NEVER, "That much cannot be given back"},
    {"total_changed", 409, NEVER, "The total has changed"},
    {"payment_in_progress", 409, AFTER_PAUSE, "The last payment is not over"},
    {"payment_not_possible", 409, NEVER, "The order takes no payment any more"},
    {"payment_attempts_exhausted", 409, NEVER, "The order was paid for too often in vain"},
    {"stock_too_low", 409, NEVER, "There is not enough stock"},
    {"not_replayable", 409, NEVER, "The dead letter cannot be replayed"},
    {"body_too_large", 413, NEVER, "The body is too large"},
    {"target_too_long", 414, NEVER, "The request's target is too long"},
    {"unsupported_media_type", 415, NEVER, "The body must be application/json"},
    {"expectation_failed", 417, NEVER, "The expectation cannot be met"},
    {"validation_failed", 422, NEVER, "The body is not valid"},
    {"card_data_not_allowed", 422, NEVER, "Card data must not be sent here"},
    {"idempotency_key_reused", 422, NEVER, "The key belongs to another body"},
    {"head_too_large", 431, NEVER, "The request's head is too large"},
    {"too_many_fields", 431, NEVER, "The request's head has too many fields"},
    {"too_many_streams", 429, AFTER_PAUSE, "Too many streams are open"},
    {"quota_exceeded", 429, AFTER_PAUSE, "The account's quota is spent"},
    {"internal_error", 500, AFTER_PAUSE, "A fault of ours"},
    {"method_not_implemented", 501, NEVER, "This method is not supported"},
    {"too_many_connections", 503, AFTER_PAUSE, "Too many connections are open"},
    {"overloaded", 503, AFTER_PAUSE, "Too much is waiting"},
    {"temporarily_unavailable", 503, AFTER_PAUSE, "The order could not be stored now"},
    {"outcome_unknown", 503, AFTER_PAUSE, "The outcome is not known yet"},
    {"version_not_supported", 505, NEVER, "Only HTTP/1.1 is spoken here"},
    {"other", 400, NEVER, "The request was refused"},
};

enum { KIND_COUNT = ARRAY_SIZE(kinds), RETRY_S_LEAST = 1, RETRY_S_MOST = 5 };

static struct metric counters[KIND_COUNT];
static char counter_labels[KIND_COUNT][64];

void problem_register_metrics(void)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        snprintf(counter_labels[i], sizeof(counter_labels[i]), "code=\"%s\"", kinds[i].code);
        counters[i].type = METRIC_COUNTER;
        counters[i].name = "docket_api_problems_total";
        counters[i].help = "Answers that said no, by code.";
        counters[i].labels = counter_labels[i];
        metric_register(&counters[i]);
    }
}

static size_t find(const char *code)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (strcmp(kinds[i].code, code) == 0)
            return i;
    }
    return KIND_COUNT - 1;
}

int problem_status(const char *code)
{
    return kinds[find(code)].status;
}

static void add_items(struct text *body, const struct problem_items *items)
{
    text_add(body, ",\"errors\":[");
    for (int i = 0; i < items->count; i++) {
        text_add(body, i ? ",{\"pointer\":" : "{\"pointer\":");
        text_add_json(body, items->items[i].pointer);
        text_print(body, ",\"code\":\"%s\",\"detail\":", items->items[i].code);
        text_add_json(body, items->items[i].detail);
        text_add(body, "}");
    }
    text_add(body, "]");
}

static void add_accepted(struct text *body, const struct problem *problem)
{
    static const char *const names[] = {"", "yes", "no", "unknown"};

    if (problem->accepted == ACCEPTED_UNSAID)
        return;
    text_print(body, ",\"accepted\":\"%s\"", names[problem->accepted]);
    if (problem->accepted == ACCEPTED_UNKNOWN)
        text_print(body, ",\"stored_by_this_request\":%s",
                   problem->stored_nothing ? "false" : "null");
}

/* Spread over some seconds, so that those who were refused together do not come back so. */
static int pause_s(int status, const struct problem *problem)
{
    int jitter_s = (int)(random() % (RETRY_S_MOST - RETRY_S_LEAST));

    if (problem->retry_after_s > 0)
        return problem->retry_after_s + jitter_s;
    return status == 409 ? 1 : RETRY_S_LEAST + jitter_s;
}

static void reply(struct http_request *request, size_t kind, int status,
                  const struct problem *problem)
{
    CLEANUP(text_finish) struct text body;

    metric_add(&counters[kind], 1);
    text_init(&body, BODY_BYTES_MAX);
    text_print(&body, "{\"type\":\"/docs/errors.md#%s\",\"title\":\"%s\",\"status\":%d",
               problem->code, kinds[kind].title, status);
    if (problem->detail) {
        text_add(&body, ",\"detail\":");
        text_add_json(&body, problem->detail);
    }
    text_print(&body, ",\"code\":\"%s\",\"retryable\":%s", problem->code,
               kinds[kind].again == NEVER ? "false" : "true");
    add_accepted(&body, problem);
    text_print(&body, ",\"request_id\":\"%s\"", http_id(request));
    if (problem->items && problem->items->count > 0)
        add_items(&body, problem->items);
    if (problem->more)
        text_add(&body, problem->more);
    text_add(&body, "}");
    if (kinds[kind].again == AFTER_PAUSE)
        http_reply_header(request, "Retry-After", "%d", pause_s(status, problem));
    if (status == 401)
        http_reply_header(request, "WWW-Authenticate", "Bearer");
    http_reply(request, status, "application/problem+json", body.bytes, body.length);
}

void problem_reply(struct http_request *request, const struct problem *problem)
{
    size_t kind = find(problem->code);

    reply(request, kind, kinds[kind].status, problem);
}

void problem_on_error(struct http_request *request, int status, const char *code,
                      const char *detail)
{
    const struct problem problem = {.code = code, .detail = detail};

    reply(request, find(code), status, &problem);
}

void problem_on_lost_error(struct http_request *request, int status, const char *code,
                           const char *detail)
{
    const struct problem problem = {
        .code = code,
        .detail = detail,
        .accepted = ACCEPTED_UNKNOWN,
        .stored_nothing = true,
    };

    reply(request, find(code), status, &problem);
}
