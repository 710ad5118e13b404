#include "api/fields.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/digest.h"
#include "base/memory.h"

static bool is_visible(char c)
{
    return c > ' ' && c <= '~';
}

static bool read_quoted(const char *value, char *key)
{
    size_t length = 0;

    for (value++; *value && *value != '"'; value++) {
        if (*value == '\\' && *++value != '"' && *value != '\\')
            return false;
        if (!is_visible(*value) || length == ORDER_KEY_LENGTH_MAX)
            return false;
        key[length++] = *value;
    }
    key[length] = '\0';
    return length > 0 && strcmp(value, "\"") == 0;
}

bool field_key(const char *value, char key[ORDER_KEY_LENGTH_MAX + 1])
{
    size_t length = 0;

    if (*value == '"')
        return read_quoted(value, key);
    for (; *value; value++) {
        if (!is_visible(*value) || length == ORDER_KEY_LENGTH_MAX)
            return false;
        key[length++] = *value;
    }
    key[length] = '\0';
    return length > 0;
}

static bool is_hex(const char *text, size_t from, size_t length, bool may_be_zero)
{
    bool is_zero = true;

    for (size_t i = from; i < from + length; i++) {
        if (!isdigit((unsigned char)text[i]) && (text[i] < 'a' || text[i] > 'f'))
            return false;
        is_zero &= text[i] == '0';
    }
    return may_be_zero || !is_zero;
}

/* "00-<32 hex>-<16 hex>-<2 hex>"; a later version may be longer, and is read as this one. */
static bool is_traceparent(const char *value)
{
    size_t length = strlen(value);

    if (length < TRACEPARENT_SIZE - 1 || value[2] != '-' || value[35] != '-' || value[52] != '-')
        return false;
    if (!is_hex(value, 0, 2, true) || strncmp(value, "ff", 2) == 0)
        return false;
    if (length > TRACEPARENT_SIZE - 1 &&
        (strncmp(value, "00", 2) == 0 || value[TRACEPARENT_SIZE - 1] != '-'))
        return false;
    return is_hex(value, 3, 32, false) && is_hex(value, 36, 16, false) &&
           is_hex(value, 53, 2, true);
}

void field_trace(const char *value, int64_t percent, char traceparent[TRACEPARENT_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    uint8_t random[25];
    char *at = traceparent;

    if (value && is_traceparent(value)) {
        snprintf(traceparent, TRACEPARENT_SIZE, "00%.53s", value + 2);
        return;
    }
    digest_random(random, sizeof(random));
    at = stpcpy(at, "00-");
    for (int i = 0; i < 24; i++) {
        if (i == 16)
            *at++ = '-';
        *at++ = hex[random[i] >> 4];
        *at++ = hex[random[i] & 15];
    }
    snprintf(at, 4, "-0%d", (int64_t)random[24] * 100 < percent * 256);
}

void field_trace_id(const char *traceparent, char trace_id[TRACE_ID_SIZE])
{
    snprintf(trace_id, TRACE_ID_SIZE, "%.32s", traceparent + 3);
}

bool field_etag_is(const char *value, int32_t version)
{
    char quoted[16];
    const char *at = value;
    size_t length = (size_t)snprintf(quoted, sizeof(quoted), "\"%d\"", version);

    if (strcmp(value, "*") == 0)
        return true;
    while ((at = strstr(at, quoted)) != NULL) {
        bool begins = at == value || at[-1] == ' ' || at[-1] == ',' || at[-1] == '/';
        bool ends = at[length] == '\0' || at[length] == ' ' || at[length] == ',';

        if (begins && ends)
            return true;
        at += length;
    }
    return false;
}

bool field_number(const char *value, int64_t least, int64_t most, int64_t *number)
{
    char *end;
    long long parsed;

    if (!isdigit((unsigned char)*value))
        return false;
    errno = 0;
    parsed = strtoll(value, &end, 10);
    if (errno != 0 || *end != '\0' || parsed < least || parsed > most)
        return false;
    *number = parsed;
    return true;
}

/* `digits` digits of a number within limits; NULL: there are others. */
static const char *read_digits(const char *at, int digits, int least, int most, int *number)
{
    *number = 0;
    for (int i = 0; i < digits; i++, at++) {
        if (!isdigit((unsigned char)*at))
            return NULL;
        *number = *number * 10 + (*at - '0');
    }
    return *number >= least && *number <= most ? at : NULL;
}

/* What stands between the parts of "2026-11-23T14:00:00", and what the parts may be. */
static const char *read_moment(const char *at, struct tm *moment)
{
    int year, month;
    const struct {
        int *part, digits, least, most;
        char after;
    } parts[] = {
        {&year, 4, 1970, 9999, '-'},       {&month, 2, 1, 12, '-'},
        {&moment->tm_mday, 2, 1, 31, 'T'}, {&moment->tm_hour, 2, 0, 23, ':'},
        {&moment->tm_min, 2, 0, 59, ':'},  {&moment->tm_sec, 2, 0, 60, '\0'},
    };

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        at = read_digits(at, parts[i].digits, parts[i].least, parts[i].most, parts[i].part);
        if (at == NULL || (parts[i].after != '\0' && *at++ != parts[i].after))
            return NULL;
    }
    moment->tm_year = year - 1900;
    moment->tm_mon = month - 1;
    return at;
}

static const char *read_fraction(const char *at, int64_t *us)
{
    int64_t digit_us = 100000;

    if (*at != '.')
        return at;
    if (!isdigit((unsigned char)*++at))
        return NULL;
    for (; isdigit((unsigned char)*at); at++, digit_us /= 10)
        *us += (*at - '0') * digit_us;
    return at;
}

static const char *read_zone(const char *at, int *minutes)
{
    int sign = *at == '-' ? -1 : 1, hour, minute;

    *minutes = 0;
    if (*at == 'Z')
        return at + 1;
    if ((*at != '+' && *at != '-') || (at = read_digits(at + 1, 2, 0, 23, &hour)) == NULL ||
        *at != ':')
        return NULL;
    at = read_digits(at + 1, 2, 0, 59, &minute);
    if (at)
        *minutes = sign * (hour * 60 + minute);
    return at;
}

bool field_time(const char *value, int64_t *unix_us)
{
    struct tm moment = {0};
    int minutes = 0, day;
    int64_t us = 0, seconds;

    if ((value = read_moment(value, &moment)) == NULL ||
        (value = read_fraction(value, &us)) == NULL || (value = read_zone(value, &minutes)) == NULL)
        return false;
    day = moment.tm_mday;
    seconds = timegm(&moment);
    *unix_us = (seconds - (int64_t)minutes * 60) * 1000000 + us;
    return *value == '\0' && moment.tm_mday == day; /* no 31st of November */
}

bool field_is_json(const char *type)
{
    size_t length = type ? strcspn(type, "; \t") : 0;

    return length == strlen("application/json") &&
           strncasecmp(type, "application/json", length) == 0;
}
