/* api/admin/dead_advice.h - what a fault that made dead letters means, and what to do about it
 *
 * One table by stage, kind and code, the closest row first; each row was written by somebody who
 * knows where the code gives that fault (tests/static/test_advice.py compares the two).
 */
#pragma once

#include <jansson.h>

/* Whether a replay helps as things are. */
enum dead_replay {
    REPLAY_HELPS,       /* now: what was away is likely back */
    REPLAY_AFTER_CURE,  /* only once the cause is mended: otherwise it fails again */
    REPLAY_LOOKS_UP,    /* safe now: the outside is asked first what has happened */
    REPLAY_CANNOT_HELP, /* it ends the same way */
};

struct dead_advice {
    int stage;        /* 0: any */
    const char *kind; /* NULL: any */
    const char *code; /* NULL: any */
    const char *means;
    const char *check;
    enum dead_replay replay;
};

/* Never NULL. */
const struct dead_advice *dead_advice_of(int stage, const char *kind, const char *code);
/* {"means", "check", "replay"} of a dead letter's or an incident's object, as its new "advice". */
void dead_advice_add(json_t *object);
