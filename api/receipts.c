#include "api/receipts.h"

#include "api/fields.h"
#include "api/order_view.h"
#include "base/clock.h"
#include "base/log.h"

enum { NS_A_MS = 1000000, US_A_MS = 1000 };

bool key_read(struct http_request *request, char key[ORDER_KEY_LENGTH_MAX + 1])
{
    const char *value = http_header(request, "Idempotency-Key");
    struct problem problem = {.accepted = ACCEPTED_NO};

    if (value && http_header_count(request, "Idempotency-Key") == 1 && field_key(value, key))
        return true;
    problem.code = value ? "idempotency_key_invalid" : "idempotency_key_required";
    problem.detail = "send one Idempotency-Key of 1 to 255 visible ASCII characters, "
                     "a new one for each order";
    problem_reply(request, &problem);
    return false;
}

uint64_t deadline_of(const struct http_request *request)
{
    const char *value = http_header(request, "Request-Timeout-Ms");
    int64_t wait_ms = api_of(request)->service.settings.accept_deadline_ms, wish_ms;

    if (value && field_number(value, 1, wait_ms, &wish_ms))
        return http_received_ns(request) / NS_A_MS + (uint64_t)wish_ms;
    return clock_monotonic_ms() + (uint64_t)wait_ms;
}

static bool is_replay(enum intake_verdict verdict)
{
    return verdict == INTAKE_REPLAYED || verdict == INTAKE_CART_REPLAYED;
}

void poll_header(struct http_request *request, int64_t accepted_ms)
{
    const struct api *api = api_of(request);
    struct load load = stats_load(api);
    int64_t age_ms = database_now_us(&api->service.database) / US_A_MS - accepted_ms;

    http_reply_header(request, "Poll-After-Ms", "%lld", (long long)pace_poll_ms(age_ms, &load));
}

void receipt_reply(struct http_request *request, const struct intake_ticket *ticket, int status)
{
    const struct token_keys *keys = &api_of(request)->token_keys;
    CLEANUP(text_finish) struct text body;
    char id[ORDER_ID_TEXT_SIZE];

    order_id_format(&ticket->id, id);
    text_init(&body, RECEIPT_BYTES_MAX);
    if (!order_view_receipt(&body, &ticket->id, ticket->renderer, ticket->order_token_key, keys)) {
        log_write(LOG_ERROR, "receipt_unrenderable", &(struct log_about){.order = id},
                  "renderer %d or token key %d is unknown here: put the key back into "
                  "DOCKET_TOKEN_KEYS",
                  ticket->renderer, ticket->order_token_key);
        problem_reply(request, &(struct problem){.code = "internal_error",
                                                 .detail = "the order exists, and its answer "
                                                           "cannot be given again now",
                                                 .accepted = ACCEPTED_YES});
        return;
    }
    http_reply_header(request, "Location", "/v1/orders/%s", id);
    http_reply_header(request, "Retry-After", "1");
    poll_header(request, order_id_unix_ms(&ticket->id)); /* the body says the same for ever */
    if (is_replay(ticket->verdict))
        http_reply_header(request, "Idempotent-Replayed", "true");
    http_reply(request, status, "application/json", body.bytes, body.length);
}

void shed_reply(struct http_request *request)
{
    problem_reply(request,
                  &(struct problem){.code = "overloaded",
                                    .detail = "nothing was looked up or stored: repeat key "
                                              "and body after the pause",
                                    .accepted = ACCEPTED_UNKNOWN,
                                    .stored_nothing = true});
}

void verdict_reply(struct http_request *request, enum intake_verdict verdict)
{
    static const struct problem problems[] = {
        [INTAKE_KEY_REUSED] = {"idempotency_key_reused",
                               "the key has an order of another body; nothing was changed",
                               ACCEPTED_YES, false, NULL, NULL, 0},
        [INTAKE_KEY_ABANDONED] = {"key_abandoned",
                                  "the key was abandoned and can carry no order any more: take a "
                                  "new one",
                                  ACCEPTED_NO, false, NULL, NULL, 0},
        [INTAKE_CART_TAKEN] = {"cart_already_ordered",
                               "this cart has an order of other content, under another key",
                               ACCEPTED_NO, false, NULL, NULL, 0},
        [INTAKE_CART_CLOSED] = {"cart_closed", "this cart's order was canceled: order a new cart",
                                ACCEPTED_NO, false, NULL, NULL, 0},
        [INTAKE_IN_FLIGHT] =
            {"idempotency_in_flight",
             "another request with this key is being committed: repeat key and body",
             ACCEPTED_UNKNOWN, false, NULL, NULL, 0},
        [INTAKE_UNSENT] = {"temporarily_unavailable",
                           "nothing was stored by this request: repeat key and body",
                           ACCEPTED_UNKNOWN, true, NULL, NULL, 0},
        [INTAKE_UNKNOWN] = {"outcome_unknown",
                            "the order may be stored, or become so yet: repeat key and body until "
                            "the answer is yes or no, or abandon the key",
                            ACCEPTED_UNKNOWN, false, NULL, NULL, 0},
        [INTAKE_BROKEN] = {"internal_error", "nothing was stored by this request", ACCEPTED_UNKNOWN,
                           true, NULL, NULL, 0},
    };

    problem_reply(request, &problems[verdict]);
}
