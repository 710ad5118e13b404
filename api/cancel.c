/* POST /v1/orders/{id}/cancel: the customer, or the shop, takes an order back
 *
 *     admit ─► read ┄┄► may he? ─► cancel ┄┄(commit)┄┄► read ┄┄► 200 it is over, 202 it goes on,
 *                                                              409 it is shipped
 *
 * Asking twice is the same as asking once, with a key or without; a crash after the commit leaves
 * an order that is being canceled, and whoever asks again is told so.
 */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/cancel.h"
#include "api/read.h"
#include "api/receipts.h"
#include "schema/canonical_json.h"
#include "schema/json_fields.h"
#include "schema/order_state.h"
#include "schema/statements.h"

enum { WAITING_MAX = 2000, REASON_CHARACTERS_MAX = 500 };

/* Lives until it was answered and reader and ask have let go of it. */
struct cancellation {
    struct http_request *request; /* NULL: answered */
    struct principal principal;
    struct reading reading;
    struct ask_ticket ticket;
    struct arena arena;
    const char *reason;
    bool is_asked;              /* the cancel was committed: what is read now is told */
    bool is_reading, is_asking; /* held by reader, by ask */
};

static void read_order(struct cancellation *cancellation);
static void on_read(struct reading *reading);
static void on_read_released(struct reading *reading);
static void ask_to_cancel(struct cancellation *cancellation);
static void on_asked(struct ask_ticket *ticket);
static void on_ask_released(struct ask_ticket *ticket);
static void go_on(struct cancellation *cancellation);

static void refuse(struct cancellation *cancellation, const char *code, const char *detail)
{
    struct http_request *request = cancellation->request;

    cancellation->request = NULL;
    problem_reply(request, &(struct problem){.code = code, .detail = detail});
}

/* A body is not needed.  False: answered. */
static bool read_reason(struct cancellation *cancellation)
{
    static const struct json_field fields[] = {
        {"reason", FIELD_TEXT, false, 1, REASON_CHARACTERS_MAX, NULL, NULL, 0},
        {.name = NULL},
    };
    struct problem_items problems = {.arena = &cancellation->arena};
    CLEANUP(json_release) json_t *body = NULL;
    const char *reason = "";
    struct fault fault;
    size_t length;
    const char *bytes = http_body(cancellation->request, &length);

    cancellation->reason = "";
    if (length == 0)
        return true;
    body = json_read(bytes, length, &fault);
    if (body == NULL) {
        refuse(cancellation, "invalid_json", fault.text);
        return false;
    }
    json_fields_read(body, "", fields, &reason, &problems);
    if (problems.count > 0) {
        problem_reply(cancellation->request,
                      &(struct problem){.code = "validation_failed",
                                        .detail = "`errors` says what is wrong, and where",
                                        .items = &problems});
        cancellation->request = NULL;
        return false;
    }
    cancellation->reason = arena_copy(&cancellation->arena, reason, strlen(reason));
    return true;
}

void orders_cancel(struct http_request *request)
{
    struct cancellation *cancellation;
    char key[ORDER_KEY_LENGTH_MAX + 1];
    struct principal principal;
    struct order_id id;

    if (!api_admit_read(request, SCOPE_CHECKOUT, &principal))
        return;
    if (http_header(request, "Idempotency-Key") && !key_read(request, key))
        return;
    if (!order_id_parse(&id, http_param(request, "id"))) {
        problem_reply(request, &(struct problem){.code = "order_not_found"});
        return;
    }
    cancellation = xcalloc(1, sizeof(*cancellation));
    cancellation->request = request;
    cancellation->principal = principal;
    cancellation->reading.id = id;
    arena_init(&cancellation->arena);
    (void)read_reason(cancellation); /* false: answered, and over */
    go_on(cancellation);
}

/* --- read: may he, and what became of it -------------------------------------------------------
 */

static void read_order(struct cancellation *cancellation)
{
    struct reading *reading = &cancellation->reading;

    reading->on_settled = on_read;
    reading->on_released = on_read_released;
    reading->deadline_ms = deadline_of(cancellation->request);
    cancellation->is_reading = reader_submit(api_of(cancellation->request)->reader, reading);
    if (!cancellation->is_reading)
        refuse(cancellation, "overloaded", NULL);
}

static void answer(struct cancellation *cancellation)
{
    struct http_request *request = cancellation->request;
    const struct reading *reading = &cancellation->reading;

    if (reading->status == ORDER_FULFILLED) {
        refuse(cancellation, "order_shipped",
               "it is shipped; its money can be given back (a refund), once the goods are");
        return;
    }
    cancellation->request = NULL;
    http_reply_header(request, "ETag", "\"%d\"", reading->version);
    http_reply_header(request, "Cache-Control", "private, no-cache");
    http_reply(request, reading->is_final ? 200 : 202, "application/json", reading->body.bytes,
               reading->body.length);
}

static void on_read(struct reading *reading)
{
    struct cancellation *cancellation = container_of(reading, struct cancellation, reading);
    struct http_request *request = cancellation->request;

    if (!reading->is_read)
        refuse(cancellation, "temporarily_unavailable",
               cancellation->is_asked ? "it is being canceled; look at the order" : NULL);
    else if (!read_is_allowed(request, &cancellation->principal, reading))
        refuse(cancellation, "order_not_found", NULL);
    else if (!cancellation->is_asked &&
             order_status_is_edge((enum order_status)reading->status, ORDER_CANCELING))
        ask_to_cancel(cancellation);
    else
        answer(cancellation);
}

/* The reading may be used again. */
static void on_read_released(struct reading *reading)
{
    struct cancellation *cancellation = container_of(reading, struct cancellation, reading);

    cancellation->is_reading = false;
    go_on(cancellation);
}

/* --- cancel ------------------------------------------------------------------------------------
 */

static void add_statuses(struct pg_params *params)
{
    pg_array_begin(params, PG_INT2);
    for (int status = ORDER_ACCEPTED; status <= ORDER_REFUNDED; status++) {
        if (order_status_is_edge((enum order_status)status, ORDER_CANCELING))
            pg_array_i16(params, (int16_t)status);
    }
    pg_array_end(params);
}

void cancel_fill(struct pg_params *params, const struct order_id *id, bool is_operator)
{
    pg_add_uuid(params, id->bytes);
    add_statuses(params);
    pg_add_bool(params, is_operator);
}

static void ask_to_cancel(struct cancellation *cancellation)
{
    struct ask_ticket *ticket = &cancellation->ticket;

    ticket->statement = &sql_order_cancel;
    ticket->on_settled = on_asked;
    ticket->on_released = on_ask_released;
    ticket->deadline_ms = deadline_of(cancellation->request);
    pg_params_init(&ticket->params);
    pg_add_text(&ticket->params, arena_print(&cancellation->arena, "key %lld",
                                             (long long)cancellation->principal.key_id));
    pg_add_text(&ticket->params, cancellation->reason);
    cancel_fill(&ticket->params, &cancellation->reading.id, false);
    cancellation->is_asking = ask_submit(api_of(cancellation->request)->cancels, ticket);
    if (!cancellation->is_asking) {
        pg_params_finish(&ticket->params);
        refuse(cancellation, "overloaded", NULL);
    }
}

static void on_asked(struct ask_ticket *ticket)
{
    struct cancellation *cancellation = container_of(ticket, struct cancellation, ticket);

    switch (ticket->group_ticket.outcome) {
    case GROUP_COMMITTED:
        cancellation->is_asked = true;
        hint_work(api_of(cancellation->request)->hint);
        break;
    case GROUP_REFUSED:
        refuse(cancellation, "internal_error", ticket->group_ticket.fault.text);
        break;
    case GROUP_UNSENT:
        refuse(cancellation, "temporarily_unavailable", "nothing was done");
        break;
    case GROUP_UNKNOWN:
        refuse(cancellation, "outcome_unknown", "it may be canceled, or become so yet: look");
        break;
    }
}

static void on_ask_released(struct ask_ticket *ticket)
{
    struct cancellation *cancellation = container_of(ticket, struct cancellation, ticket);

    cancellation->is_asking = false;
    go_on(cancellation);
}

/* Once nobody holds a part of it: it is read again, or over. */
static void go_on(struct cancellation *cancellation)
{
    if (cancellation->is_reading || cancellation->is_asking)
        return;
    if (cancellation->request)
        read_order(cancellation);
    if (cancellation->request || cancellation->is_reading)
        return;
    arena_finish(&cancellation->arena);
    free(cancellation);
}

void cancel_open(struct api *api)
{
    static const struct pg_statement *const statements[] = {&sql_order_cancel, NULL};
    const struct ask_options options = {
        .name = "cancel",
        .database = &api->service.database,
        .statements = statements,
        .waiting_max = WAITING_MAX,
    };

    api->cancels = ask_create(&api->service.loop, &options);
}

void cancel_close(struct api *api)
{
    ask_destroy(api->cancels);
}
