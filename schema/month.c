#include "schema/month.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"

/* Months since the year 0. */
static int month_of(int64_t unix_ms)
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm utc;

    gmtime_r(&seconds, &utc);
    return (utc.tm_year + 1900) * 12 + utc.tm_mon;
}

bool month_of_span(const struct order_span *span, int64_t now_ms, char month[MONTH_SIZE])
{
    int first = month_of(order_id_unix_ms(&span->least));
    int last = month_of(order_id_unix_ms(&span->greatest)), now = month_of(now_ms);

    if (first != last || first > now || first < now - 1)
        return false;
    snprintf(month, MONTH_SIZE, "_%04u_%02u", (unsigned)first / 12 % 10000,
             (unsigned)first % 12 + 1);
    return true;
}

static int number_of(const char *month)
{
    char *end;
    long year = strtol(month + 1, &end, 10);

    return (int)(year * 12 + strtol(end + 1, NULL, 10));
}

bool month_is_near(const char *month, const char *now)
{
    return abs(number_of(month) - number_of(now)) <= 1;
}

char *month_sql(const struct month_statement *statement, const char *month)
{
    struct text sql;
    size_t length;

    text_init(&sql, SIZE_MAX);
    for (const char *at = statement->marked; *at != '\0'; at += length) {
        length = strcspn(at, (const char[]){MONTH_MARK, '\0'});
        text_add_bytes(&sql, at, length);
        if (at[length] == MONTH_MARK) {
            text_add(&sql, month);
            length++;
        }
    }
    return text_take(&sql, NULL);
}
