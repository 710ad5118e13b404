/* POST /v1/orders/{id}/payment_attempts: the customer pays a failed order otherwise
 *
 *     admit ─► read ─► look ┄┄► may it? ─┬─ no: what to do instead
 *                       ▲                ├─ its key opened one: the same answer again
 *                       │                ├─► give the last one up, at this version ┄┄► not yet
 *                       │                └─► open, at this version ┄┄► 202
 *                       └───────── somebody was faster ◄─┘
 *
 * What is judged is what the books say (order_pay_again); what is written stands only if they say
 * it still.  So of two at once one opens an attempt, and one that comes while the customer's time
 * runs out is either in time or told that it is not.
 *
 * A payment that waits for the customer is given up by his wish to pay otherwise: a worker cancels
 * its intent at the provider.  Until that is done, or it turns out to be paid, there is no other.
 */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/fields.h"
#include "api/order_view.h"
#include "api/read.h"
#include "api/receipts.h"
#include "base/clock.h"
#include "schema/card_scan.h"
#include "schema/statements.h"

enum { WAITING_MAX = 1000, ROUNDS_MAX = 20, ANSWER_BYTES_MAX = 512 };

/* Lives until it was answered and the ask has let go of it. */
struct opening {
    struct http_request *request; /* NULL: answered */
    struct principal principal;
    struct order_id id;
    struct arena arena;
    json_t *body;
    const char *method;
    char key[ORDER_KEY_LENGTH_MAX + 1];
    struct order_facts facts; /* what was judged */
    int rounds;
    uint64_t deadline_ms;
    enum pay_again verdict; /* what is written next; IN_PROGRESS: nothing, it is looked at */
    struct ask_ticket ticket;
};

/* The columns of attempt_look.sql. */
enum { ACCOUNT, TOKEN_KEY, VERSION, STATUS, NUMBER, STATE, IS_FENCED, IS_GIVEN_UP, OPENED, METHOD };

static bool read_wish(struct opening *opening);
static void submit(struct opening *opening);
static void on_settled(struct ask_ticket *ticket);
static void on_looked(struct opening *opening, const PGresult *rows);
static void judge(struct opening *opening);
static void on_written(struct opening *opening, const PGresult *rows);
static void on_released(struct ask_ticket *ticket);
static void opening_free(struct opening *opening);

void payment_attempts_post(struct http_request *request)
{
    char key[ORDER_KEY_LENGTH_MAX + 1];
    struct principal principal;
    struct opening *opening;

    if (!api_admit(request, SCOPE_CHECKOUT, &principal) || !key_read(request, key) ||
        !api_admit_post(request, &principal))
        return;
    opening = xcalloc(1, sizeof(*opening));
    opening->request = request;
    opening->principal = principal;
    opening->verdict = PAY_AGAIN_IN_PROGRESS;
    opening->deadline_ms = deadline_of(request);
    snprintf(opening->key, sizeof(opening->key), "%s", key);
    arena_init(&opening->arena);
    if (read_wish(opening))
        submit(opening);
    else
        opening_free(opening);
}

static void refuse(struct opening *opening, const struct problem *problem)
{
    struct http_request *request = opening->request;

    opening->request = NULL;
    problem_reply(request, problem);
}

/* Nothing was looked up yet: of the key nothing is known. */
static void refuse_wish(struct opening *opening, const char *code, const char *detail,
                        const struct problem_items *items)
{
    refuse(opening, &(struct problem){.code = code,
                                      .detail = detail,
                                      .accepted = ACCEPTED_UNKNOWN,
                                      .stored_nothing = true,
                                      .items = items});
}

static bool read_method(struct opening *opening)
{
    struct problem_items items = {.arena = &opening->arena};
    const char *card = card_scan(opening->body, &opening->arena);

    if (card) {
        problem_note(&items, card, "card_data_not_allowed", "looks like card data");
        refuse_wish(opening, "card_data_not_allowed",
                    "pay with a token of the payment provider (\"pm_…\"); this body was not kept",
                    &items);
        return false;
    }
    if (!order_method_from_json(&opening->method, opening->body, &items)) {
        refuse_wish(opening, "validation_failed", "`errors` says what is wrong, and where", &items);
        return false;
    }
    return true;
}

static bool read_wish(struct opening *opening)
{
    struct http_request *request = opening->request;
    struct fault fault;
    size_t length;
    const char *bytes = http_body(request, &length);

    if (!order_id_parse(&opening->id, http_param(request, "id"))) {
        refuse_wish(opening, "order_not_found", NULL, NULL);
        return false;
    }
    if (!field_is_json(http_header(request, "Content-Type"))) {
        refuse_wish(opening, "unsupported_media_type", "send Content-Type: application/json", NULL);
        return false;
    }
    opening->body = json_read(bytes, length, &fault);
    if (opening->body == NULL) {
        refuse_wish(opening, "invalid_json", fault.text, NULL);
        return false;
    }
    return read_method(opening);
}

static void add_look(struct opening *opening)
{
    opening->ticket.statement = &sql_attempt_look;
    pg_add_uuid(&opening->ticket.params, opening->id.bytes);
    pg_add_text(&opening->ticket.params, opening->key);
}

static void add_open(struct opening *opening)
{
    const struct order_facts *facts = &opening->facts;

    opening->ticket.statement = &sql_attempt_open;
    pg_add_uuid(&opening->ticket.params, opening->id.bytes);
    pg_add_i32(&opening->ticket.params, facts->version);
    pg_add_i16(&opening->ticket.params, (int16_t)(facts->attempt_number + 1));
    pg_add_text(&opening->ticket.params, opening->method);
    pg_add_text(&opening->ticket.params, opening->key);
    pg_add_text(&opening->ticket.params, "api");
}

static void add_give_up(struct opening *opening)
{
    const struct order_facts *facts = &opening->facts;

    opening->ticket.statement = &sql_attempt_give_up;
    pg_add_uuid(&opening->ticket.params, opening->id.bytes);
    pg_add_i32(&opening->ticket.params, facts->version);
    pg_add_i16(&opening->ticket.params, facts->attempt_number);
    pg_add_text(&opening->ticket.params, "api");
}

static bool is_judged(const struct opening *opening)
{
    return opening->verdict != PAY_AGAIN_IN_PROGRESS;
}

static void submit(struct opening *opening)
{
    struct ask *ask = api_of(opening->request)->attempts;

    opening->ticket = (struct ask_ticket){
        .on_settled = on_settled,
        .on_released = on_released,
        .deadline_ms = opening->deadline_ms,
    };
    pg_params_init(&opening->ticket.params);
    if (opening->verdict == PAY_AGAIN_OPENS)
        add_open(opening);
    else if (opening->verdict == PAY_AGAIN_GIVES_UP)
        add_give_up(opening);
    else
        add_look(opening);
    if (ask_submit(ask, &opening->ticket))
        return;
    pg_params_finish(&opening->ticket.params);
    shed_reply(opening->request);
    opening_free(opening);
}

static void refuse_unsettled(struct opening *opening, enum group_outcome outcome)
{
    bool is_sent = outcome == GROUP_UNKNOWN && opening->verdict == PAY_AGAIN_OPENS;

    refuse(opening, &(struct problem){
                        .code = outcome == GROUP_REFUSED ? "internal_error"
                                : is_sent                ? "outcome_unknown"
                                                         : "temporarily_unavailable",
                        .detail = is_sent ? "the attempt may be open, or become so yet: repeat "
                                            "key and body"
                                          : "no attempt was opened by this request: repeat "
                                            "key and body",
                        .accepted = ACCEPTED_UNKNOWN,
                        .stored_nothing = !is_sent});
}

static void on_settled(struct ask_ticket *ticket)
{
    struct opening *opening = container_of(ticket, struct opening, ticket);
    enum group_outcome outcome = ticket->group_ticket.outcome;

    if (outcome != GROUP_COMMITTED)
        refuse_unsettled(opening, outcome);
    else if (is_judged(opening))
        on_written(opening, ticket->rows);
    else
        on_looked(opening, ticket->rows);
}

/* --- look --------------------------------------------------------------------------------------
 */

static bool is_allowed(const struct opening *opening, const PGresult *rows)
{
    struct reading reading = {.id = opening->id};

    if (PQntuples(rows) == 0)
        return false;
    reading.is_found = true;
    reading.account_id = pg_i64(rows, 0, ACCOUNT);
    reading.token_key = pg_i16(rows, 0, TOKEN_KEY);
    return read_is_allowed(opening->request, &opening->principal, &reading);
}

static void reply_opened(struct opening *opening, int attempt, bool is_replay)
{
    struct http_request *request = opening->request;
    char id[ORDER_ID_TEXT_SIZE];
    CLEANUP(text_finish) struct text body;

    opening->request = NULL;
    order_id_format(&opening->id, id);
    text_init(&body, ANSWER_BYTES_MAX);
    text_print(&body,
               "{\"id\":\"%s\",\"accepted\":\"yes\",\"payment\":{\"attempt\":%d},"
               "\"poll_after_ms\":1000,\"links\":{\"self\":\"/v1/orders/%s\","
               "\"events\":\"/v1/orders/%s/events\"}}",
               id, attempt, id, id);
    http_reply_header(request, "Location", "/v1/orders/%s", id);
    http_reply_header(request, "Retry-After", "1");
    if (is_replay)
        http_reply_header(request, "Idempotent-Replayed", "true");
    http_reply(request, 202, "application/json", body.bytes, body.length);
}

/* The key has opened an attempt, at any time before. */
static void replay(struct opening *opening, const PGresult *rows)
{
    if (strcmp(pg_text(rows, 0, METHOD), opening->method) == 0)
        reply_opened(opening, pg_i16(rows, 0, OPENED), true);
    else
        refuse(opening, &(struct problem){.code = "idempotency_key_reused",
                                          .detail = "the key has opened an attempt with another "
                                                    "payment method; nothing was changed",
                                          .accepted = ACCEPTED_YES});
}

static void on_looked(struct opening *opening, const PGresult *rows)
{
    if (!is_allowed(opening, rows)) {
        refuse(opening, &(struct problem){.code = "order_not_found", .accepted = ACCEPTED_NO});
        return;
    }
    if (!pg_is_null(rows, 0, OPENED)) {
        replay(opening, rows);
        return;
    }
    opening->facts = (struct order_facts){
        .version = pg_i32(rows, 0, VERSION),
        .status = (enum order_status)pg_i16(rows, 0, STATUS),
        .attempt_number = pg_i16(rows, 0, NUMBER),
        .attempt_state = (enum attempt_state)pg_i16(rows, 0, STATE),
        .is_fenced = pg_bool(rows, 0, IS_FENCED),
        .is_given_up = pg_bool(rows, 0, IS_GIVEN_UP),
    };
    judge(opening);
}

/* --- may it? -----------------------------------------------------------------------------------
 */

static const char *why_not_yet(const struct order_facts *facts)
{
    if (facts->status == ORDER_PAYMENT_FAILED)
        return "the failed payment is being canceled at the provider, so that it cannot be paid "
               "too: repeat key and body when links.payment_attempts is there";
    if (facts->is_given_up)
        return "the payment that waits for the customer is being canceled at the provider, so that "
               "it cannot be paid too: repeat key and body when links.payment_attempts is there";
    if (facts->status == ORDER_REQUIRES_ACTION)
        return "the customer has to finish payment.next_action first; if they do not, it ends by "
               "itself";
    return "the last payment is under way, or its outcome is not known yet: wait for its end";
}

static void refuse_attempt(struct opening *opening, const char *code, const char *detail)
{
    refuse(opening, &(struct problem){.code = code, .detail = detail, .accepted = ACCEPTED_NO});
}

static void judge(struct opening *opening)
{
    const struct order_facts *facts = &opening->facts;
    int64_t attempts_max = api_of(opening->request)->service.settings.payment_attempts_max;

    enum pay_again verdict = order_pay_again(facts, attempts_max);

    switch (verdict) {
    case PAY_AGAIN_OPENS:
    case PAY_AGAIN_GIVES_UP:
        opening->verdict = verdict; /* written once the ask has let go of the look */
        break;
    case PAY_AGAIN_IN_PROGRESS:
        refuse_attempt(opening, "payment_in_progress", why_not_yet(facts));
        break;
    case PAY_AGAIN_CLOSED:
        refuse_attempt(
            opening, "payment_not_possible",
            arena_print(&opening->arena, "the order is %s", order_status_name(facts->status)));
        break;
    case PAY_AGAIN_EXHAUSTED:
        refuse_attempt(opening, "payment_attempts_exhausted",
                       arena_print(&opening->arena,
                                   "%d attempts were made; the order will be "
                                   "canceled",
                                   (int)facts->attempt_number));
        break;
    }
}

/* --- write -------------------------------------------------------------------------------------
 */

static void on_written(struct opening *opening, const PGresult *rows)
{
    struct hint *hint = api_of(opening->request)->hint;
    enum pay_again written = opening->verdict;

    opening->verdict = PAY_AGAIN_IN_PROGRESS; /* if somebody was faster, look again */
    if (PQntuples(rows) == 0) {
        if (++opening->rounds == ROUNDS_MAX)
            refuse_unsettled(opening, GROUP_UNSENT);
        return;
    }
    hint_work(hint);
    hint_order(hint, &opening->id);
    if (written == PAY_AGAIN_OPENS) {
        reply_opened(opening, opening->facts.attempt_number + 1, false);
    } else {
        opening->facts.is_given_up = true;
        refuse_attempt(opening, "payment_in_progress", why_not_yet(&opening->facts));
    }
}

static void on_released(struct ask_ticket *ticket)
{
    struct opening *opening = container_of(ticket, struct opening, ticket);

    if (opening->request)
        submit(opening);
    else
        opening_free(opening);
}

static void opening_free(struct opening *opening)
{
    json_decref(opening->body);
    arena_finish(&opening->arena);
    free(opening);
}

void attempts_open(struct api *api)
{
    static const struct pg_statement *const statements[] = {
        &sql_commit_fence, &sql_attempt_look, &sql_attempt_open, &sql_attempt_give_up, NULL};
    const struct ask_options options = {
        .name = "attempt",
        .database = &api->service.database,
        .statements = statements,
        .first = &sql_commit_fence, /* a key that is replayed is on the standby, too */
        .waiting_max = WAITING_MAX,
    };

    api->attempts = ask_create(&api->service.loop, &options);
}

void attempts_close(struct api *api)
{
    ask_destroy(api->attempts);
}
