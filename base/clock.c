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
