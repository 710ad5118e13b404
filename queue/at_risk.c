#include "queue/at_risk.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/metrics.h"
#include "base/pg_params.h"
#include "schema/money.h"

enum { CURRENCY, AMOUNT };

static struct {
    struct metric metric;
    char currency[CURRENCY_SIZE]; /* empty: the place is free */
    char labels[sizeof("currency=\"\"") + CURRENCY_SIZE];
} places[AT_RISK_CURRENCIES];

void at_risk_register_metrics(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        places[i].metric.type = METRIC_GAUGE;
        places[i].metric.name = "docket_dead_letters_at_risk_minor_units";
        places[i].metric.help =
            "What the orders of open dead letters are worth, in minor units of the currency.";
        places[i].metric.labels = "currency=\"\"";
        places[i].metric.is_absent = true;
        metric_register(&places[i].metric);
    }
}

static void take_place(size_t i, const char *currency)
{
    snprintf(places[i].currency, sizeof(places[i].currency), "%s", currency);
    snprintf(places[i].labels, sizeof(places[i].labels), "currency=\"%s\"", currency);
    places[i].metric.labels = places[i].labels;
    places[i].metric.is_absent = false;
}

/* Beyond AT_RISK_CURRENCIES a currency is not shown. */
static void note(const char *currency, int64_t amount)
{
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        if (places[i].currency[0] == '\0' && currency_is_valid(currency))
            take_place(i, currency);
        if (strcmp(places[i].currency, currency) == 0) {
            metric_set(&places[i].metric, amount);
            return;
        }
    }
}

void at_risk_note(const PGresult *rows)
{
    at_risk_forget();
    for (int row = 0; row < PQntuples(rows); row++)
        note(pg_text(rows, row, CURRENCY), pg_i64(rows, row, AMOUNT));
}

void at_risk_forget(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(places); i++)
        metric_set(&places[i].metric, 0);
}
