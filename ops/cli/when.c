#include "ops/cli/when.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SPAN_S_MAX = 366 * 100, DAY_S = 86400 };

bool span_parse(const char *text, int64_t *seconds)
{
    static const struct {
        char letter;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', DAY_S}};
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > 9 || text[digits] == '\0' || text[digits + 1] != '\0')
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        int64_t count = strtoll(text, NULL, 10);

        if (text[digits] != units[i].letter)
            continue;
        if (count > (int64_t)SPAN_S_MAX * DAY_S / units[i].seconds)
            return false;
        *seconds = count * units[i].seconds;
        return true;
    }
    return false;
}

/* Z, +01:00 or nothing (the local zone). */
static bool read_zone(const char *text, bool *is_local, int64_t *offset_s)
{
    int hours, minutes, end = 0;

    *is_local = *text == '\0';
    *offset_s = 0;
    if (*is_local || strcmp(text, "Z") == 0)
        return true;
    /* NOLINTNEXTLINE(cert-err34-c): the digits are counted by the format */
    if (sscanf(text + 1, "%2d:%2d%n", &hours, &minutes, &end) != 2 || text[1 + end] != '\0' ||
        end != 5 || hours > 23 || minutes > 59)
        return false;
    *offset_s = (text[0] == '-' ? -1 : 1) * (int64_t)(hours * 3600 + minutes * 60);
    return text[0] == '+' || text[0] == '-';
}

/* Whether it is the day that was written, not the 2nd of March for the 30th of February. */
static bool is_same(const struct tm *one, const struct tm *other)
{
    return one->tm_mday == other->tm_mday && one->tm_mon == other->tm_mon;
}

static const char *read_clock(const char *text, struct tm *tm)
{
    const char *end;

    if (*text == '\0')
        return text;
    if (*text != ' ' && *text != 'T' && *text != 't')
        return NULL;
    end = strptime(text + 1, "%H:%M", tm);
    if (end && *end == ':')
        end = strptime(end, ":%S", tm);
    if (end && *end == '.')
        end += 1 + strspn(end + 1, "0123456789");
    return end;
}

static bool read_moment(const char *text, bool is_utc, int64_t *unix_s)
{
    struct tm tm = {.tm_isdst = -1}, read;
    const char *end;
    bool is_local;
    int64_t offset_s;

    if (!isdigit((unsigned char)text[0]) || (end = strptime(text, "%Y-%m-%d", &tm)) == NULL ||
        (end = read_clock(end, &tm)) == NULL || !read_zone(end, &is_local, &offset_s))
        return false;
    read = tm;
    *unix_s = is_local && !is_utc ? mktime(&tm) : timegm(&tm);
    *unix_s -= offset_s;
    return is_same(&tm, &read);
}

bool when_parse(const char *text, int64_t now, bool is_utc, int64_t *unix_s)
{
    int64_t span;

    if (span_parse(text, &span)) {
        *unix_s = now - span;
        return *unix_s >= 0;
    }
    return read_moment(text, is_utc, unix_s) && *unix_s >= 0;
}
