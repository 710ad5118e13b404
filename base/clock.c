#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static uint64_t now_ns(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

uint64_t clock_monotonic_ms(void)
{
    return now_ns(CLOCK_MONOTONIC) / 1000000U;
}

uint64_t clock_monotonic_ns(void)
{
    return now_ns(CLOCK_MONOTONIC);
}

int64_t clock_wall_us(void)
{
    return (int64_t)(now_ns(CLOCK_REALTIME) / 1000U);
}

void clock_format(int64_t wall_us, char *buffer, size_t size)
{
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm utc;
    size_t length;

    gmtime_r(&seconds, &utc);
    length = strftime(buffer, size, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(buffer + length, size - length, ".%06dZ", (int)(wall_us % 1000000));
}

int64_t clock_parse(const char *text)
{
    struct tm utc = {0};
    int us = 0, end = 0;
    /* NOLINTNEXTLINE(cert-err34-c): what does not fit is refused */
    int read = sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%6dZ%n", &utc.tm_year, &utc.tm_mon,
                      &utc.tm_mday, &utc.tm_hour, &utc.tm_min, &utc.tm_sec, &us, &end);

    if (read != 7 || text[end] != '\0' || end != CLOCK_RFC3339_SIZE - 1)
        return 0;
    utc.tm_year -= 1900;
    utc.tm_mon -= 1;
    return (int64_t)timegm(&utc) * 1000000 + us;
}
