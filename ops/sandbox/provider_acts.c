#include "ops/sandbox/provider_acts.h"

#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "ops/sandbox/parameters.h"

/* --- wording ------------------------------------------------------------------------------- */

/* As the answer shows it. */
static struct intent shown_of(const struct exchange *exchange, const struct intent *intent)
{
    struct intent shown = *intent;

    shown.amount += exchange_misstates_amount(exchange);
    return shown;
}

static void show_intent(struct exchange *exchange, const struct intent *intent)
{
    struct intent shown = shown_of(exchange, intent);

    exchange->status = 200;
    exchange->executed = true;
    intent_render(&shown, &exchange->body);
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
    struct intent shown = shown_of(exchange, intent);

    exchange->status = refusal->status;
    exchange->executed = true;
    refusal_render(refusal, &shown, &exchange->body);
}

static bool intent_named(struct exchange *exchange, const struct provider_call *call)
{
    return call->intent || parameter_refuse(exchange, 404, "resource_missing", "intent",
                                            "No such payment_intent: '%.60s'", call->id);
}

/* --- events -------------------------------------------------------------------------------- */

/* What a webhook tells of an intent as it is now; of one that is new, or was declined. */
static const char *event_of(const struct intent *intent, const char *kind)
{
    if (kind && strcmp(kind, "intent") == 0)
        return "payment_intent.created";
    switch (intent->status) {
    case INTENT_SUCCEEDED:
        return "payment_intent.succeeded";
    case INTENT_REQUIRES_ACTION:
        return "payment_intent.requires_action";
    case INTENT_PROCESSING:
        return "payment_intent.processing";
    case INTENT_REQUIRES_CAPTURE:
        return "payment_intent.amount_capturable_updated";
    case INTENT_CANCELED:
        return "payment_intent.canceled";
    case INTENT_REQUIRES_PAYMENT_METHOD:
    case INTENT_REQUIRES_CONFIRMATION:
        return "payment_intent.payment_failed";
    }
    return NULL;
}

static void tell_of_intent(struct provider *provider, const struct intent *intent, const char *kind)
{
    CLEANUP(text_finish) struct text object;

    text_init(&object, SIZE_MAX / 2);
    if (!webhooks_are_wanted(provider->webhooks))
        return;
    intent_render(intent, &object);
    webhooks_tell(provider->webhooks, event_of(intent, kind), object.bytes);
}

/* As much of a charge as says whose it is. */
static void tell_of_refund(struct provider *provider, const struct refund *refund)
{
    const struct intent *intent = refund->intent;
    CLEANUP(text_finish) struct text object;

    text_init(&object, SIZE_MAX / 2);
    if (!webhooks_are_wanted(provider->webhooks))
        return;
    text_print(&object,
               "{\"id\":\"%s\",\"object\":\"charge\",\"amount\":%" PRId64
               ",\"amount_refunded\":%" PRId64 ",\"currency\":\"%s\",\"payment_intent\":\"%s\","
               "\"metadata\":%s}",
               intent->charge, intent->received, intent->refunded, intent->currency, intent->id,
               intent->metadata);
    webhooks_tell(provider->webhooks, "charge.refunded", object.bytes);
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
    tell_of_intent(provider, intent, kind);
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
    tell_of_refund(provider, refund);
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
    if (!parameter_method(exchange, form, &how->method) ||
        !parameter_flag(exchange, form, "error_on_requires_action", &refuse_action) ||
        !parameter_flag(exchange, form, "off_session", &off_session))
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

    return parameters_are_known(exchange, form, known) &&
           parameter_amount(exchange, form, "amount", 0, &creation->amount) &&
           parameter_currency(exchange, form, &creation->currency) &&
           parameter_word(exchange, form, "capture_method", captures, &creation->capture_method) &&
           parameter_flag(exchange, form, "confirm", &creation->confirm) &&
           read_confirmation(exchange, form, &creation->how);
}

static struct intent *add_intent(struct exchange *exchange, const struct provider_call *call,
                                 const struct creation *creation)
{
    struct provider *provider = call->provider;
    struct intent *intent = intent_create(
        creation->amount, creation->currency, creation->how.method ? creation->how.method : "",
        exchange->order, parameter_metadata(exchange, &call->form));

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

    if (intent_named(exchange, call) && parameters_are_known(exchange, &call->form, known) &&
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

    if (!intent_named(exchange, call) || !parameters_are_known(exchange, &call->form, known) ||
        !parameter_amount(exchange, &call->form, "amount_to_capture", -1, &amount))
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

    if (!intent_named(exchange, call) || !parameters_are_known(exchange, &call->form, known) ||
        !parameter_word(exchange, &call->form, "cancellation_reason", reasons, &reason))
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

    if (!parameters_are_known(exchange, &call->form, known) || !intent_named(exchange, call) ||
        !parameter_amount(exchange, &call->form, "amount", -1, &amount) ||
        !parameter_word(exchange, &call->form, "reason", reasons, &reason))
        return;
    refund = intent_refund(call->intent, amount, reason, parameter_metadata(exchange, &call->form),
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
        parameter_refuse(exchange, 404, "resource_missing", "id", "No such refund: '%.60s'",
                         call->id);
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
           parameter_refuse(exchange, 400, "parameter_invalid_integer", name,
                            "Invalid integer: %.40s", value);
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
        return parameter_refuse(exchange, 400, NULL, "limit", "limit is from 1 to 100");
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
            parameter_refuse(exchange, 400, "resource_missing", "starting_after",
                             "No such payment_intent");
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
