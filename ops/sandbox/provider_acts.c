#include "ops/sandbox/provider_acts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* --- wording ------------------------------------------------------------------------------- */

static void show_intent(struct exchange *exchange, const struct intent *intent)
{
    exchange->status = 200;
    exchange->executed = true;
    intent_render(intent, &exchange->body);
}

static void show_refund(struct exchange *exchange, const struct refund *refund)
{
    exchange->status = 200;
    exchange->executed = true;
    refund_render(refund, &exchange->body);
}

static void show_refusal(struct exchange *exchange, const struct refusal *refusal,
                         const struct intent *intent)
{
    exchange->status = refusal->status;
    exchange->executed = true;
    refusal_render(refusal, intent, &exchange->body);
}

/* The parameters are refused: nothing began, so the key stays free.  Returns false. */
static bool invalid(struct exchange *exchange, int status, const char *code, const char *param,
                    const char *format, ...) __attribute__((format(printf, 5, 6)));

static bool invalid(struct exchange *exchange, int status, const char *code, const char *param,
                    const char *format, ...)
{
    struct refusal refusal = {
        .status = status, .type = "invalid_request_error", .code = code, .param = param};
    va_list args;

    va_start(args, format);
    vsnprintf(refusal.message, sizeof(refusal.message), format, args);
    va_end(args);
    show_refusal(exchange, &refusal, NULL);
    exchange->executed = false;
    return false;
}

/* --- parameters ---------------------------------------------------------------------------- */

static bool all_known(struct exchange *exchange, const struct form *form, const char *const *known)
{
    const char *unknown = form_unknown(form, known);

    return !unknown || invalid(exchange, 400, "parameter_unknown", unknown,
                               "Received unknown parameter: %.100s", unknown);
}

static bool intent_named(struct exchange *exchange, const struct provider_call *call)
{
    return call->intent || invalid(exchange, 404, "resource_missing", "intent",
                                   "No such payment_intent: '%.60s'", call->id);
}

/* An amount above zero; absent: the fallback, or refused if that is 0. */
static bool read_amount(struct exchange *exchange, const struct form *form, const char *name,
                        int64_t fallback, int64_t *amount)
{
    const char *value = form_value(form, name);

    *amount = fallback;
    if (!value)
        return fallback != 0 || invalid(exchange, 400, "parameter_missing", name,
                                        "Missing required param: %s.", name);
    if (!form_number(value, amount) || *amount < 1)
        return invalid(exchange, 400, "parameter_invalid_integer", name,
                       "Invalid positive integer: %.40s", value);
    if (*amount > INTENT_AMOUNT_MAX)
        return invalid(exchange, 400, "amount_too_large", name,
                       "Amount must be no more than %d minor units.", INTENT_AMOUNT_MAX);
    return true;
}

static bool read_flag(struct exchange *exchange, const struct form *form, const char *name,
                      bool *flag)
{
    const char *value = form_value(form, name);

    *flag = value && strcmp(value, "true") == 0;
    return !value || *flag || strcmp(value, "false") == 0 ||
           invalid(exchange, 400, NULL, name, "Invalid boolean: %.40s", value);
}

/* One of the words, or `fallback` where it is absent. */
static bool read_word(struct exchange *exchange, const struct form *form, const char *name,
                      const char *const *words, const char **word)
{
    const char *value = form_value(form, name);

    *word = value ? value : "";
    if (!value)
        return true;
    for (; *words; words++)
        if (strcmp(*words, value) == 0)
            return true;
    return invalid(exchange, 400, NULL, name, "Invalid %s: %.40s", name, value);
}

static bool read_method(struct exchange *exchange, const struct form *form, const char **method)
{
    *method = form_value(form, "payment_method");
    return !*method || card_find(*method) ||
           invalid(exchange, 400, "resource_missing", "payment_method",
                   "No such PaymentMethod: '%.60s'", *method);
}

static bool read_currency(struct exchange *exchange, const struct form *form, const char **currency)
{
    const char *value = form_value(form, "currency");

    *currency = value;
    if (!value)
        return invalid(exchange, 400, "parameter_missing", "currency",
                       "Missing required param: currency.");
    return (strlen(value) == 3 && strspn(value, "abcdefghijklmnopqrstuvwxyz") == 3) ||
           invalid(exchange, 400, NULL, "currency", "Invalid currency: %.40s", value);
}

static const char *render_metadata(struct exchange *exchange, const struct form *form)
{
    CLEANUP(text_finish) struct text json;

    text_init(&json, SIZE_MAX / 2);
    text_add(&json, "{");
    for (size_t i = 0; i < form->count; i++) {
        const char *name = form->pairs[i].name;

        if (strncmp(name, "metadata[", 9) != 0 || name[strlen(name) - 1] != ']')
            continue;
        name = arena_copy(http_arena(exchange->request), name + 9, strlen(name) - 10);
        text_add(&json, json.length > 1 ? "," : "");
        text_add_json(&json, name);
        text_add(&json, ":");
        text_add_json(&json, form->pairs[i].value);
    }
    text_add(&json, "}");
    return arena_copy(http_arena(exchange->request), json.bytes, json.length);
}

/* --- recording ----------------------------------------------------------------------------- */

void provider_record(struct provider *provider, struct intent *intent, const char *kind,
                     int64_t amount, const char *key)
{
    const struct ledger_fact fact = {.kind = kind,
                                     .order = intent->order,
                                     .intent = intent->id,
                                     .key = key,
                                     .amount = amount,
                                     .currency = intent->currency,
                                     .charge = *intent->charge ? intent->charge : NULL};
    CLEANUP(text_finish) struct text state;

    text_init(&state, SIZE_MAX / 2);
    text_add(&state, "\"intent\":");
    intent_render(intent, &state);
    if (kind)
        ledger_record(provider->side.ledger, &fact, state.bytes);
    else
        ledger_record_state(provider->side.ledger, state.bytes);
    if (*intent->charge && !intent->by_charge.key)
        table_add(&provider->charges, &intent->by_charge, intent->charge);
}

static void record_refund(struct exchange *exchange, struct provider *provider,
                          const struct refund *refund)
{
    const struct ledger_fact fact = {.kind = "refund",
                                     .order = refund->intent->order,
                                     .intent = refund->intent->id,
                                     .key = exchange_key(exchange),
                                     .amount = refund->amount,
                                     .currency = refund->intent->currency,
                                     .charge = refund->intent->charge,
                                     .refund = refund->id};
    CLEANUP(text_finish) struct text state;

    text_init(&state, SIZE_MAX / 2);
    text_add(&state, "\"refund\":");
    refund_render(refund, &state);
    ledger_record(provider->side.ledger, &fact, state.bytes);
}

/* --- the acts ------------------------------------------------------------------------------ */

/* A charge is a fact, all else of an attempt (declined, waiting, held) is state. */
static void attempt(struct exchange *exchange, const struct provider_call *call,
                    struct intent *intent, const struct confirmation *how)
{
    int64_t received = intent->received;
    struct refusal refusal;
    bool done = intent_confirm(intent, how, &refusal);

    if (done || refusal.status == 402)
        provider_record(call->provider, intent, intent->received > received ? "charge" : NULL,
                        intent->received - received, exchange_key(exchange));
    if (done)
        show_intent(exchange, intent);
    else
        show_refusal(exchange, &refusal, intent);
}

/* What confirm and create with confirm=true have in common. */
static bool read_confirmation(struct exchange *exchange, const struct form *form,
                              struct confirmation *how)
{
    const char *decline = exchange_decline(exchange);
    bool refuse_action, off_session;

    *how = (struct confirmation){.decline = decline ? decline_find(decline) : NULL};
    if (!read_method(exchange, form, &how->method) ||
        !read_flag(exchange, form, "error_on_requires_action", &refuse_action) ||
        !read_flag(exchange, form, "off_session", &off_session))
        return false;
    how->refuse_action = refuse_action || off_session;
    return true;
}

struct creation {
    int64_t amount;
    const char *currency, *capture_method;
    bool confirm;
    struct confirmation how;
};

static bool read_creation(struct exchange *exchange, const struct form *form,
                          struct creation *creation)
{
    static const char *const known[] = {"amount",
                                        "currency",
                                        "payment_method",
                                        "capture_method",
                                        "confirm",
                                        "metadata[",
                                        "description",
                                        "return_url",
                                        "off_session",
                                        "error_on_requires_action",
                                        "automatic_payment_methods[",
                                        "payment_method_types[",
                                        "statement_descriptor",
                                        "statement_descriptor_suffix",
                                        "receipt_email",
                                        "confirmation_method",
                                        "expand[",
                                        NULL};
    static const char *const captures[] = {"automatic", "automatic_async", "manual", NULL};

    return all_known(exchange, form, known) &&
           read_amount(exchange, form, "amount", 0, &creation->amount) &&
           read_currency(exchange, form, &creation->currency) &&
           read_word(exchange, form, "capture_method", captures, &creation->capture_method) &&
           read_flag(exchange, form, "confirm", &creation->confirm) &&
           read_confirmation(exchange, form, &creation->how);
}

static struct intent *add_intent(struct exchange *exchange, const struct provider_call *call,
                                 const struct creation *creation)
{
    struct provider *provider = call->provider;
    struct intent *intent = intent_create(creation->amount, creation->currency,
                                          creation->how.method ? creation->how.method : "",
                                          exchange->order, render_metadata(exchange, &call->form));

    intent->manual = strcmp(creation->capture_method, "manual") == 0;
    table_add(&provider->intents, &intent->by_id, intent->id);
    TAILQ_INSERT_HEAD(&provider->newest_first, intent, newest_first);
    provider_record(provider, intent, "intent", intent->amount, exchange_key(exchange));
    return intent;
}

void act_create(struct exchange *exchange)
{
    const struct provider_call *call = exchange->subject;
    struct creation creation;
    struct intent *intent;

    if (!read_creation(exchange, &call->form, &creation))
        return;
    intent = add_intent(exchange, call, &creation);
    if (creation.confirm)
        attempt(exchange, call, intent, &creation.how);
    else
        show_intent(exchange, intent);
}

void act_confirm(struct exchange *exchange)
{
    static const char *const known[] = {
        "payment_method", "return_url", "off_session", "error_on_requires_action",
        "receipt_email",  "expand[",    NULL};
    const struct provider_call *call = exchange->subject;
    struct confirmation how;

    if (intent_named(exchange, call) && all_known(exchange, &call->form, known) &&
        read_confirmation(exchange, &call->form, &how))
        attempt(exchange, call, call->intent, &how);
}

void act_capture(struct exchange *exchange)
{
    static const char *const known[] = {"amount_to_capture", "statement_descriptor",
                                        "statement_descriptor_suffix", "expand[", NULL};
    const struct provider_call *call = exchange->subject;
    struct intent *intent = call->intent;
    struct refusal refusal;
    int64_t amount;

    if (!intent_named(exchange, call) || !all_known(exchange, &call->form, known) ||
        !read_amount(exchange, &call->form, "amount_to_capture", -1, &amount))
        return;
    if (!intent_capture(intent, amount, &refusal)) {
        show_refusal(exchange, &refusal, intent);
        return;
    }
    provider_record(call->provider, intent, "charge", intent->received, exchange_key(exchange));
    show_intent(exchange, intent);
}

void act_cancel(struct exchange *exchange)
{
    static const char *const known[] = {"cancellation_reason", "expand[", NULL};
    static const char *const reasons[] = {"abandoned", "duplicate", "fraudulent",
                                          "requested_by_customer", NULL};
    const struct provider_call *call = exchange->subject;
    struct refusal refusal;
    const char *reason;

    if (!intent_named(exchange, call) || !all_known(exchange, &call->form, known) ||
        !read_word(exchange, &call->form, "cancellation_reason", reasons, &reason))
        return;
    if (!intent_cancel(call->intent, reason, &refusal)) {
        show_refusal(exchange, &refusal, call->intent);
        return;
    }
    provider_record(call->provider, call->intent, "cancel", call->intent->amount,
                    exchange_key(exchange));
    show_intent(exchange, call->intent);
}

void act_retrieve(struct exchange *exchange)
{
    const struct provider_call *call = exchange->subject;

    if (intent_named(exchange, call))
        show_intent(exchange, call->intent);
}

void act_refund(struct exchange *exchange)
{
    static const char *const known[] = {"payment_intent", "charge",  "amount", "reason",
                                        "metadata[",      "expand[", NULL};
    static const char *const reasons[] = {"duplicate", "fraudulent", "requested_by_customer", NULL};
    const struct provider_call *call = exchange->subject;
    struct refusal refusal;
    struct refund *refund;
    const char *reason;
    int64_t amount;

    if (!all_known(exchange, &call->form, known) || !intent_named(exchange, call) ||
        !read_amount(exchange, &call->form, "amount", -1, &amount) ||
        !read_word(exchange, &call->form, "reason", reasons, &reason))
        return;
    refund = intent_refund(call->intent, amount, reason, render_metadata(exchange, &call->form),
                           &refusal);
    if (!refund) {
        show_refusal(exchange, &refusal, call->intent);
        return;
    }
    table_add(&call->provider->refunds, &refund->by_id, refund->id);
    record_refund(exchange, call->provider, refund);
    show_refund(exchange, refund);
}

void act_retrieve_refund(struct exchange *exchange)
{
    const struct provider_call *call = exchange->subject;
    struct table_item *item = table_find(&call->provider->refunds, call->id);

    if (item)
        show_refund(exchange, container_of(item, struct refund, by_id));
    else
        invalid(exchange, 404, "resource_missing", "id", "No such refund: '%.60s'", call->id);
}

/* --- lists --------------------------------------------------------------------------------- */

struct bounds {
    int64_t least_s, most_s, limit;
    const char *starting_after;
};

static bool read_bound(struct exchange *exchange, const char *name, int64_t *bound)
{
    const char *value = http_query(exchange->request, name);

    return !value || form_number(value, bound) ||
           invalid(exchange, 400, "parameter_invalid_integer", name, "Invalid integer: %.40s",
                   value);
}

static bool read_bounds(struct exchange *exchange, struct bounds *bounds)
{
    int64_t above = -1, below = INT64_MAX;

    *bounds = (struct bounds){.most_s = INT64_MAX, .limit = 10};
    if (!read_bound(exchange, "created[gte]", &bounds->least_s) ||
        !read_bound(exchange, "created[lte]", &bounds->most_s) ||
        !read_bound(exchange, "created[gt]", &above) ||
        !read_bound(exchange, "created[lt]", &below) ||
        !read_bound(exchange, "limit", &bounds->limit))
        return false;
    if (bounds->limit < 1 || bounds->limit > 100)
        return invalid(exchange, 400, NULL, "limit", "limit is from 1 to 100");
    bounds->least_s = above + 1 > bounds->least_s ? above + 1 : bounds->least_s;
    bounds->most_s = below - 1 < bounds->most_s ? below - 1 : bounds->most_s;
    bounds->starting_after = http_query(exchange->request, "starting_after");
    return true;
}

static void end_list(struct exchange *exchange, bool has_more)
{
    text_print(&exchange->body, "],\"has_more\":%s}", has_more ? "true" : "false");
    exchange->status = 200;
    exchange->executed = true;
}

static void list_intents(struct exchange *exchange, const struct intent *intent,
                         const struct bounds *bounds)
{
    int64_t shown = 0;

    text_add(&exchange->body, "{\"object\":\"list\",\"url\":\"/v1/payment_intents\",\"data\":[");
    for (; intent && shown <= bounds->limit; intent = TAILQ_NEXT(intent, newest_first)) {
        if (intent->created_s < bounds->least_s || intent->created_s > bounds->most_s)
            continue;
        if (shown++ == bounds->limit)
            break;
        text_add(&exchange->body, shown > 1 ? "," : "");
        intent_render(intent, &exchange->body);
    }
    end_list(exchange, shown > bounds->limit);
}

void act_list(struct exchange *exchange)
{
    const struct provider_call *call = exchange->subject;
    const struct intent *first = TAILQ_FIRST(&call->provider->newest_first);
    struct bounds bounds;

    if (!read_bounds(exchange, &bounds))
        return;
    if (bounds.starting_after) {
        first = provider_find(call->provider, bounds.starting_after);
        if (!first) {
            invalid(exchange, 400, "resource_missing", "starting_after", "No such payment_intent");
            return;
        }
        first = TAILQ_NEXT(first, newest_first);
    }
    list_intents(exchange, first, &bounds);
}

/* Of one intent, all of them: there are few. */
void act_list_refunds(struct exchange *exchange)
{
    const struct provider_call *call = exchange->subject;
    const struct refund *refund;

    if (!intent_named(exchange, call))
        return;
    text_add(&exchange->body, "{\"object\":\"list\",\"url\":\"/v1/refunds\",\"data\":[");
    TAILQ_FOREACH (refund, &call->intent->refunds, newest_first) {
        refund_render(refund, &exchange->body);
        if (TAILQ_NEXT(refund, newest_first))
            text_add(&exchange->body, ",");
    }
    end_list(exchange, false);
}
