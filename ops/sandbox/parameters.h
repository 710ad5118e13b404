/* ops/sandbox/parameters.h - reads what a call to the provider asks for, or refuses it by name
 *
 * Each returns false after it has worded the refusal into the exchange: nothing began then, and the
 * idempotency key stays free.
 */
#pragma once

#include "ops/sandbox/exchange.h"
#include "ops/sandbox/form.h"

bool parameter_refuse(struct exchange *exchange, int status, const char *code, const char *param,
                      const char *format, ...) __attribute__((format(printf, 5, 6)));

/* known: as of form_unknown. */
bool parameters_are_known(struct exchange *exchange, const struct form *form,
                          const char *const *known);
/* An amount above zero; absent: the fallback, or refused if that is 0. */
bool parameter_amount(struct exchange *exchange, const struct form *form, const char *name,
                      int64_t fallback, int64_t *amount);
bool parameter_flag(struct exchange *exchange, const struct form *form, const char *name,
                    bool *flag);
/* One of the words (NULL ends them), or "" where it is absent. */
bool parameter_word(struct exchange *exchange, const struct form *form, const char *name,
                    const char *const *words, const char **word);
/* A known payment method, or NULL where it is absent. */
bool parameter_method(struct exchange *exchange, const struct form *form, const char **method);
bool parameter_currency(struct exchange *exchange, const struct form *form, const char **currency);
/* metadata[…] as a JSON object, in the request's arena. */
const char *parameter_metadata(struct exchange *exchange, const struct form *form);
