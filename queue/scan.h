/* queue/scan.h - from where a time-ordered index is read, and how soon again
 *
 * What was dealt with stays in the index as dead entries until vacuum comes, and would be stepped
 * over at each look.  So a look reads only what fell due since the last one, and SCAN_WINDOW_MS
 * before that, which is longer than a transaction takes to appear; and now and then everything:
 * what appeared later yet, or was held by somebody else.  That is the rarer the longer its first
 * page takes: vacuum can take nothing away while a transaction is held open.  After a page that was
 * full the look goes on where that one ended.
 *
 * It is paced: after a page that was full the next follows once as long as it took has passed.
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    SCAN_WINDOW_MS = 5000,
    SCAN_WHOLE_MS = 10000,
    SCAN_SHARE = 20, /* what is looked at again rests so many times as long as it took … */
    SCAN_SHARE_MS_MOST = 30000
};

enum { SCAN_BEGINNING = 0 };            /* from there on it reads everything */
#define SCAN_PLACE_OF_ITS_OWN INT64_MAX /* reached: who scans knows where */

struct scan {
    uint64_t rest_ms_least, rest_ms_most; /* between two looks that found all there was */

    bool is_whole;          /* the page that is under way, or the next, begins at the beginning */
    bool is_going_on;       /* the last page was full … */
    int64_t reached_us;     /* … and ended here */
    uint64_t whole_at_ms;   /* when the last page from the beginning ended */
    uint64_t whole_took_ms; /* … and how long it took */
    uint64_t begun_ms, rest_ms;
    uint64_t looked_ms; /* when the last page began that did not fail */
};

/* … and at least so long: however much there is, it takes no more than its share. */
uint64_t scan_rest_ms(uint64_t least_ms, uint64_t took_ms);

void scan_reset(struct scan *scan); /* everything is looked at first */
/* A page begins.  From when on it reads: µs since 1970, or, if that is negative, before now. */
int64_t scan_begin(struct scan *scan, uint64_t now_ms);
/* It found this many of at most `limit`, the last of them at `reached_us`; -1: it failed.  How long
 * to wait before the next. */
uint64_t scan_end(struct scan *scan, uint64_t now_ms, int found, int limit, int64_t reached_us);
