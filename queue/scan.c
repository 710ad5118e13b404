#include "queue/scan.h"

void scan_reset(struct scan *scan)
{
    scan->is_whole = true;
    scan->rest_ms = scan->rest_ms_least;
}

bool scan_begin(struct scan *scan, uint64_t now_ms)
{
    scan->begun_ms = now_ms;
    if (now_ms - scan->whole_at_ms >= SCAN_WHOLE_MS)
        scan->is_whole = true;
    return scan->is_whole;
}

uint64_t scan_end(struct scan *scan, uint64_t now_ms, int found, int limit)
{
    if (found < 0)
        return scan->rest_ms_most;
    if (found >= limit)
        return now_ms - scan->begun_ms;
    if (scan->is_whole) {
        scan->is_whole = false;
        scan->whole_at_ms = now_ms;
    }
    scan->rest_ms = found > 0 ? scan->rest_ms_least : scan->rest_ms * 2;
    if (scan->rest_ms > scan->rest_ms_most)
        scan->rest_ms = scan->rest_ms_most;
    return scan->rest_ms;
}
