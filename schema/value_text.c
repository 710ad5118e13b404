#include "schema/value_text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SECONDS_MAX = 2000000000 };

/* Digits only, and at most `most`. */
static bool read_number(const char *text, size_t length, int64_t most, int64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < length; i++) {
        if (!isdigit((unsigned char)text[i]) || *number > (most - (text[i] - '0')) / 10)
            return false;
        *number = *number * 10 + (text[i] - '0');
    }
    return length > 0;
}

bool value_number(const char *text, int64_t most, int64_t *number)
{
    return read_number(text, strlen(text), most, number);
}

static int64_t unit_seconds(char unit)
{
    switch (unit) {
    case 's':
        return 1;
    case 'm':
        return 60;
    case 'h':
        return 3600;
    case 'd':
        return 86400;
    case 'w':
        return INT64_C(7) * 86400;
    default:
        return 0;
    }
}

bool value_span_s(const char *text, int64_t *seconds)
{
    int64_t number;

    *seconds = 0;
    do {
        size_t digits = strspn(text, "0123456789");
        int64_t unit_s = unit_seconds(text[digits]);

        if (unit_s == 0 || !read_number(text, digits, SECONDS_MAX / unit_s, &number) ||
            (*seconds += number * unit_s) > SECONDS_MAX)
            return false;
        text += digits + 1;
    } while (*text);
    return true;
}

bool value_money(const char *text, struct money *money)
{
    size_t whole = strspn(text, "0123456789");
    const char *fraction = text + whole + (text[whole] == '.');
    size_t decimals = text[whole] == '.' ? strspn(fraction, "0123456789") : 0;
    const char *currency = fraction + decimals;
    int digits = currency_is_valid(currency) ? currency_digits(currency) : -1;
    int64_t minor = 0;

    if (digits < 0 || decimals > (size_t)digits || (text[whole] == '.' && decimals == 0) ||
        !read_number(text, whole, MONEY_MAX, &money->amount) ||
        (decimals > 0 && !read_number(fraction, decimals, MONEY_MAX, &minor)))
        return false;
    snprintf(money->currency, sizeof(money->currency), "%s", currency);
    for (size_t i = 0; i < (size_t)digits; i++) {
        if (money->amount > MONEY_MAX / 10)
            return false;
        money->amount *= 10;
        minor *= i < (size_t)digits - decimals ? 10 : 1;
    }
    return money_add(&money->amount, minor);
}

/* What follows the minutes: seconds, then Z or an offset; nothing means UTC. */
static bool read_zone(const char *rest)
{
    struct tm clock;

    if (*rest == '\0' || strcmp(rest, "Z") == 0)
        return true;
    if (*rest != '+' && *rest != '-')
        return false;
    rest = strlen(rest) == strlen("+hh:mm") ? strptime(rest + 1, "%H:%M", &clock) : NULL;
    return rest && *rest == '\0' && clock.tm_hour <= 14;
}

bool value_stamp(const char *text, char stamp[VALUE_STAMP_SIZE])
{
    struct tm asked = {0}, real;
    const char *rest = strptime(text, "%Y-%m-%d", &asked);
    time_t seconds;
    size_t length;

    if (rest && *rest == 'T')
        rest = strptime(rest + 1, "%H:%M", &asked);
    if (rest && *rest == ':')
        rest = strptime(rest + 1, "%S", &asked);
    real = asked;
    seconds = timegm(&real);
    if (rest == NULL || !read_zone(rest) || seconds < 0 || asked.tm_year > 1000 ||
        real.tm_mday != asked.tm_mday || real.tm_min != asked.tm_min)
        return false;
    length = strftime(stamp, VALUE_STAMP_SIZE, "%Y-%m-%dT%H:%M:%S", &asked);
    snprintf(stamp + length, VALUE_STAMP_SIZE - length, "%s", *rest ? rest : "Z");
    return true;
}
