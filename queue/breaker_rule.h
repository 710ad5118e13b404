/* queue/breaker_rule.h - when calls to an outside stop, and how they begin again
 *
 *     CLOSED ──failures──► OPEN ──its pause is over──► PROBING ──answered──► RAMPING ──all out──►
 * CLOSED ▲                             │                     │ └────────── failures
 * ─────────┴─────────────────────┘
 *
 * Workers count, and open; only the relay goes on from there.  What counts is that an outside is
 * away or overwhelmed: no connection, no answer in time, 5xx, 429.  Any other answer (a decline, a
 * 4xx of our own making) shows that it is there.
 *
 * It opens when `failures` calls in a row failed and for BREAKER_SETTLE_MS none went well, or when
 * `percent` of at least 4 × failures calls within the window failed.  The probe's failure alone
 * opens it again; while it is ramping, two in a row do.
 *
 * Whose fault a single failure was is seen by what comes next (breaker_judge): the breaker opens,
 * and it was the outage's; or another call goes well, and it was the task's own.  Where nothing
 * comes next, the task goes on and the failure is counted on account (order_lesson.is_doubtful).
 *
 * Pure: no clock, no database.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    BREAKER_SETTLE_MS = 200,
    BREAKER_DOUBT_MS = 400,  /* a failure waits so long for what comes next … */
    BREAKER_DOUBT_TICKS = 4, /* … and for so many ticks: a process that stood still saw none */
    BREAKER_DOUBT_LONG_MS = 3000, /* … while few calls are made */
    BREAKER_SLICES = 10,          /* of the window */
};

/* As stored. */
enum breaker_state {
    BREAKER_CLOSED = 1,
    BREAKER_OPEN = 2,
    BREAKER_PROBING = 3,
    BREAKER_RAMPING = 4
};

const char *breaker_state_name(enum breaker_state state); /* "closed", … */

/* What one call has shown. */
enum breaker_evidence {
    BREAKER_NOTHING, /* it was not made, or was cut short by us */
    BREAKER_GOOD,
    BREAKER_CONNECT,
    BREAKER_TIMEOUT,
    BREAKER_SERVER_ERROR,
    BREAKER_RATE_LIMIT,
};

bool breaker_is_failure(enum breaker_evidence evidence);
const char *breaker_class(enum breaker_evidence evidence); /* of a failure: "connect", … */

enum { BREAKER_NEVER = 1000000 }; /* as many failures: it never opens */

struct breaker_policy {
    int64_t failures, percent, window_ms;
};

struct breaker_slice {
    int64_t number;
    int32_t good, failed;
};

struct breaker_count {
    int64_t in_row; /* failures since the last that went well */
    uint64_t row_since_ms, last_failed_ms;
    uint64_t goods; /* ever */
    uint64_t ticks; /* ever: looks at the clock, between which calls had their chance to end */
    struct breaker_slice slices[BREAKER_SLICES];
};

void breaker_count_reset(struct breaker_count *count);
void breaker_count_good(struct breaker_count *count, const struct breaker_policy *policy,
                        uint64_t now_ms);
void breaker_count_failure(struct breaker_count *count, const struct breaker_policy *policy,
                           uint64_t now_ms);
bool breaker_count_trips(const struct breaker_count *count, const struct breaker_policy *policy,
                         enum breaker_state state, uint64_t now_ms);

/* --- what a worker knows --------------------------------------------------------------------- */

struct breaker_view {
    enum breaker_state state;
    int64_t version; /* rises with each change */
    int64_t opened;  /* version at which it was opened last */
    bool is_queue_paused;
};

/* May a task be called for that was let out with this pass?  (0: never was.) */
bool breaker_admits(const struct breaker_view *view, int64_t pass);

struct breaker_doubt {
    bool is_raised;   /* its call failed, and nobody has said yet whose failure it was */
    bool is_answered; /* a call of it went well, and that was counted */
    int64_t opened;   /* of the view when the call began */
    uint64_t goods;   /* of the count when it failed */
    uint64_t since_ms, since_ticks; /* when it failed */
};

/* DOUBT_UNCLEAR: nothing came next that would tell. */
enum breaker_verdict { DOUBT_STANDS, DOUBT_OUTAGE, DOUBT_OWN, DOUBT_UNCLEAR };

enum breaker_verdict breaker_judge(const struct breaker_doubt *doubt,
                                   const struct breaker_view *view,
                                   const struct breaker_count *count, uint64_t now_ms);
