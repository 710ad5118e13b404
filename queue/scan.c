#include "queue/scan.h"

uint64_t scan_rest_ms(uint64_t least_ms, uint64_t took_ms)
{
    uint64_t share_ms = took_ms * SCAN_SHARE;

    if (share_ms > SCAN_SHARE_MS_MOST)
        share_ms = SCAN_SHARE_MS_MOST;
    return share_ms > least_ms ? share_ms : least_ms;
}

void scan_reset(struct scan *scan)
{
    scan->is_whole = true;
    scan->is_going_on = false;
    scan->rest_ms = scan->rest_ms_least;
}

int64_t scan_begin(struct scan *scan, uint64_t now_ms)
{
    scan->begun_ms = now_ms;
    if (now_ms - scan->whole_at_ms >= scan_rest_ms(SCAN_WHOLE_MS, scan->whole_took_ms))
        scan->is_whole = true;
    if (scan->is_whole)
        return SCAN_BEGINNING;
    if (scan->is_going_on)
        return scan->reached_us;
    return -(int64_t)(SCAN_WINDOW_MS + now_ms - scan->looked_ms) * 1000;
}

uint64_t scan_end(struct scan *scan, uint64_t now_ms, int found, int limit, int64_t reached_us)
{
    uint64_t took_ms = now_ms - scan->begun_ms;

    if (found < 0)
        return scan->rest_ms_most;
    scan->looked_ms = scan->begun_ms;
    if (scan->is_whole) {
        scan->is_whole = false;
        scan->whole_at_ms = now_ms;
        scan->whole_took_ms = took_ms;
    }
    scan->is_going_on = found >= limit;
    scan->reached_us = reached_us;
    if (scan->is_going_on)
        return took_ms;
    scan->rest_ms = found > 0 ? scan->rest_ms_least : scan->rest_ms * 2;
    if (scan->rest_ms > scan->rest_ms_most)
        scan->rest_ms = scan->rest_ms_most;
    return scan->rest_ms;
}
