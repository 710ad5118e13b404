#include "ops/sandbox/parameters.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "ops/sandbox/cards.h"
#include "ops/sandbox/intent.h"

bool parameter_refuse(struct exchange *exchange, int status, const char *code, const char *param,
                      const char *format, ...)
{
    struct refusal refusal = {
        .status = status, .type = "invalid_request_error", .code = code, .param = param};
    va_list args;

    va_start(args, format);
    vsnprintf(refusal.message, sizeof(refusal.message), format, args);
    va_end(args);
    exchange->status = status;
    refusal_render(&refusal, NULL, &exchange->body);
    exchange->executed = false;
    return false;
}

bool parameters_are_known(struct exchange *exchange, const struct form *form,
                          const char *const *known)
{
    const char *unknown = form_unknown(form, known);

    return !unknown || parameter_refuse(exchange, 400, "parameter_unknown", unknown,
                                        "Received unknown parameter: %.100s", unknown);
}

bool parameter_amount(struct exchange *exchange, const struct form *form, const char *name,
                      int64_t fallback, int64_t *amount)
{
    const char *value = form_value(form, name);

    *amount = fallback;
    if (!value)
        return fallback != 0 || parameter_refuse(exchange, 400, "parameter_missing", name,
                                                 "Missing required param: %s.", name);
    if (!form_number(value, amount) || *amount < 1)
        return parameter_refuse(exchange, 400, "parameter_invalid_integer", name,
                                "Invalid positive integer: %.40s", value);
    if (*amount > INTENT_AMOUNT_MAX)
        return parameter_refuse(exchange, 400, "amount_too_large", name,
                                "Amount must be no more than %d minor units.", INTENT_AMOUNT_MAX);
    return true;
}

bool parameter_flag(struct exchange *exchange, const struct form *form, const char *name,
                    bool *flag)
{
    const char *value = form_value(form, name);

    *flag = value && strcmp(value, "true") == 0;
    return !value || *flag || strcmp(value, "false") == 0 ||
           parameter_refuse(exchange, 400, NULL, name, "Invalid boolean: %.40s", value);
}

bool parameter_word(struct exchange *exchange, const struct form *form, const char *name,
                    const char *const *words, const char **word)
{
    const char *value = form_value(form, name);

    *word = value ? value : "";
    if (!value)
        return true;
    for (; *words; words++)
        if (strcmp(*words, value) == 0)
            return true;
    return parameter_refuse(exchange, 400, NULL, name, "Invalid %s: %.40s", name, value);
}

bool parameter_method(struct exchange *exchange, const struct form *form, const char **method)
{
    *method = form_value(form, "payment_method");
    return !*method || card_find(*method) ||
           parameter_refuse(exchange, 400, "resource_missing", "payment_method",
                            "No such PaymentMethod: '%.60s'", *method);
}

bool parameter_currency(struct exchange *exchange, const struct form *form, const char **currency)
{
    const char *value = form_value(form, "currency");

    *currency = value;
    if (!value)
        return parameter_refuse(exchange, 400, "parameter_missing", "currency",
                                "Missing required param: currency.");
    return (strlen(value) == 3 && strspn(value, "abcdefghijklmnopqrstuvwxyz") == 3) ||
           parameter_refuse(exchange, 400, NULL, "currency", "Invalid currency: %.40s", value);
}

const char *parameter_metadata(struct exchange *exchange, const struct form *form)
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
