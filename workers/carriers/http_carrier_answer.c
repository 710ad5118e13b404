/* What the carrier's answers mean, and what it is asked: pure. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workers/answer.h"
#include "workers/carriers/http_carrier.h"

enum { CODE_SIZE = 48, MESSAGE_SIZE = 200 };

static void read_shipment(const struct http_carrier_answer *answer, const json_t *object,
                          struct carrier_result *result);
static void read_found(const struct http_carrier_answer *answer, const json_t *body,
                       struct carrier_result *result);
static void read_refusal(const struct http_carrier_answer *answer, const json_t *error,
                         struct carrier_result *result);
static void soften_read(const struct http_carrier_answer *answer, struct carrier_result *result);

void http_carrier_read_answer(const struct http_carrier_answer *answer,
                              struct carrier_result *result)
{
    int64_t retry_after_ms = result->retry_after_ms;
    json_t *body = answer_parse(answer->body, answer->length);

    *result = (struct carrier_result){.retry_after_ms = retry_after_ms};
    if (answer->status < 200 || answer->status >= 300)
        read_refusal(answer, json_object_get(body, "error"), result);
    else if (answer->operation == CARRIER_LOOK_UP)
        read_found(answer, body, result);
    else
        read_shipment(answer, body, result);
    soften_read(answer, result);
    json_decref(body);
}

static void conclude(const struct http_carrier_answer *answer, struct carrier_result *result,
                     enum carrier_verdict verdict, const char *code, const char *reason)
{
    static const enum fault_kind kinds[] = {
        [CARRIER_SHIPPED] = FAULT_NONE,    [CARRIER_NONE] = FAULT_NONE,
        [CARRIER_REFUSED] = FAULT_REFUSED, [CARRIER_TRANSIENT] = FAULT_TRANSIENT,
        [CARRIER_UNKNOWN] = FAULT_UNKNOWN, [CARRIER_BROKEN] = FAULT_BROKEN,
    };
    char by_status[CODE_SIZE];

    snprintf(by_status, sizeof(by_status), "carrier_%d", answer->status);
    result->verdict = verdict;
    fail_as(&result->fault, kinds[verdict], code[0] ? code : by_status,
            "the carrier answered %s with %d: %s", carrier_operation_name(answer->operation),
            answer->status, reason);
}

/* A read that failed changed nothing: it is simply made again. */
static void soften_read(const struct http_carrier_answer *answer, struct carrier_result *result)
{
    if (answer->operation != CARRIER_LOOK_UP || result->verdict != CARRIER_UNKNOWN)
        return;
    result->verdict = CARRIER_TRANSIENT;
    result->fault.kind = FAULT_TRANSIENT;
}

/* --- 2xx ------------------------------------------------------------------------------------- */

static void read_shipment(const struct http_carrier_answer *answer, const json_t *object,
                          struct carrier_result *result)
{
    char reference[CARRIER_ID_SIZE];

    if (!answer_text(object, "id", result->shipment, sizeof(result->shipment)) ||
        !answer_text(object, "reference", reference, sizeof(reference))) {
        result->shipment[0] = '\0';
        conclude(answer, result, CARRIER_UNKNOWN, "answer_unreadable",
                 "it holds no shipment that can be understood");
        return;
    }
    if (strcmp(reference, answer->reference) != 0) {
        result->shipment[0] = '\0';
        conclude(answer, result, CARRIER_UNKNOWN, "answer_for_another",
                 "it is about another shipment");
        return;
    }
    answer_text(object, "tracking", result->tracking, sizeof(result->tracking));
    result->verdict = CARRIER_SHIPPED;
}

static void read_found(const struct http_carrier_answer *answer, const json_t *body,
                       struct carrier_result *result)
{
    const json_t *data = json_object_get(body, "data");

    if (!json_is_array(data))
        conclude(answer, result, CARRIER_UNKNOWN, "answer_unreadable",
                 "it holds no list of shipments");
    else if (json_array_size(data) == 0)
        result->verdict = CARRIER_NONE;
    else if (json_array_size(data) == 1)
        read_shipment(answer, json_array_get(data, 0), result);
    else
        conclude(answer, result, CARRIER_BROKEN, "shipped_twice",
                 "more than one shipment has our reference: stop all but one");
}

/* --- all else -------------------------------------------------------------------------------- */

static bool is_final(const struct http_carrier_answer *answer, const json_t *error)
{
    return answer->status == 422 && json_is_true(json_object_get(error, "permanent"));
}

static bool did_nothing(const struct http_carrier_answer *answer, const json_t *error,
                        const char *code)
{
    return answer->status == 429 ||
           (answer->status == 409 && strcmp(code, "reference_conflict") != 0) ||
           (answer->status == 422 && json_is_false(json_object_get(error, "permanent")));
}

static void read_refusal(const struct http_carrier_answer *answer, const json_t *error,
                         struct carrier_result *result)
{
    char code[CODE_SIZE], message[MESSAGE_SIZE];

    answer_code(error, "code", code, sizeof(code));
    answer_message(error, "message", message, sizeof(message));
    if (answer->status >= 500 || answer->status < 300 || answer->status == 408)
        conclude(answer, result, CARRIER_UNKNOWN, "", "it may have happened: look it up");
    else if (answer->status < 400)
        conclude(answer, result, CARRIER_BROKEN, "carrier_redirects",
                 "no redirect is followed: correct the carrier's URL");
    else if (is_final(answer, error))
        conclude(answer, result, CARRIER_REFUSED, code, "it will not ship this order");
    else if (did_nothing(answer, error, code))
        conclude(answer, result, CARRIER_TRANSIENT, code, "it did nothing: ask again later");
    else
        conclude(answer, result, CARRIER_BROKEN, code, message);
}

/* --- what it is asked ------------------------------------------------------------------------ */

void http_carrier_add_path(struct text *text, const struct carrier_call *call)
{
    text_add(text, "/shipments");
    if (call->operation == CARRIER_SHIP)
        return;
    text_add(text, "?reference=");
    text_add_urlencoded(text, call->reference);
}

static json_t *lines_of(const struct carrier_call *call)
{
    json_t *lines = json_array();

    for (size_t i = 0; i < call->line_count; i++)
        json_array_append_new(lines, json_pack("{s:s, s:I}", "sku", call->lines[i].sku, "quantity",
                                               (json_int_t)call->lines[i].quantity));
    return lines;
}

bool http_carrier_add_body(struct text *text, const struct carrier_call *call, struct fault *fault)
{
    json_t *address, *body;
    char *bytes;

    if (call->operation == CARRIER_LOOK_UP)
        return true;
    address = json_loads(call->address, JSON_REJECT_DUPLICATES, NULL);
    body = json_pack("{s:s, s:s, s:o, s:s, s:o, s:s}", "reference", call->reference, "order",
                     call->order, "lines", lines_of(call), "method", call->method, "address",
                     address, "name", call->name);
    bytes = body && json_is_object(address) ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (bytes == NULL)
        return fail_as(fault, FAULT_BROKEN, "address_unreadable",
                       "the address of order %s is no JSON object, or a text of it no UTF-8",
                       call->order);
    text_add(text, bytes);
    free(bytes);
    return true;
}
