#include "queue/scan.h"

void scan_reset(struct scan *scan)
{
    scan->is_whole = true;
    scan->rest_ms = scan->rest_ms_least;
}

static uint64_t whole_rest_ms(const struct scan *scan)
{
    uint64_t rest_ms = scan->whole_took_ms * SCAN_WHOLE_RESTS;

    if (rest_ms < SCAN_WHOLE_MS)
        return SCAN_WHOLE_MS;
    return rest_ms < SCAN_WHOLE_MS_MOST ? rest_ms : SCAN_WHOLE_MS_MOST;
}

bool scan_begin(struct scan *scan, uint64_t now_ms)
{
    scan->begun_ms = now_ms;
    if (now_ms - scan->whole_at_ms >= whole_rest_ms(scan))
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
        scan->whole_took_ms = now_ms - scan->begun_ms;
    }
    scan->rest_ms = found > 0 ? scan->rest_ms_least : scan->rest_ms * 2;
    if (scan->rest_ms > scan->rest_ms_most)
        scan->rest_ms = scan->rest_ms_most;
    return scan->rest_ms;
}
