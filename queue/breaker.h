/* queue/breaker.h - a worker's side of the breaker: it counts, it opens, it knows
 *
 *     call begins ─► may_call? ─► evidence ─► counted ─► opened here at once, and in the table
 *                                     │                   by compare-and-set; others see it with
 *                                     └─ a failure: doubt  their next beat
 *
 * A task that may not be called for is parked, with nothing counted against it; the relay alone
 * lets it out again (queue/release.h), with a pass that is good until the breaker opens anew.  What
 * a worker believes may be a second old; a pass that is younger than that is good, too.
 *
 * A worker that dies takes its counts with it: whoever calls next counts again.
 */
#pragma once

#include <uv.h>

#include "queue/breaker_rule.h"
#include "queue/errand.h"
#include "schema/outsides.h"

struct breaker;

struct breaker_options {
    const struct pg_server *server;
    const struct outside *outside; /* whom the stage calls */
    const char *process;
    struct breaker_policy policy;
    void (*on_told)(
        void *owner); /* the table was told of an opening: a beat shows what it is now */
    void *owner;
};

struct breaker *breaker_create(uv_loop_t *loop, const struct breaker_options *options);
void breaker_destroy(struct breaker *breaker); /* NULL is fine */

void breaker_on_view(struct breaker *breaker, const struct breaker_view *view);
/* Now and then: silence is evidence, too. */
void breaker_tick(struct breaker *breaker);

/* False: it is not to be called for a task with this pass.  True: a call begins. */
bool breaker_begin_call(struct breaker *breaker, int64_t pass, struct breaker_doubt *doubt)
    __attribute__((warn_unused_result));
/* What became of it; of a failure the doubt is raised. */
void breaker_end_call(struct breaker *breaker, struct breaker_doubt *doubt,
                      enum breaker_evidence evidence);
/* Whose failure it was; to be asked again while the doubt stands. */
enum breaker_verdict breaker_ask(const struct breaker *breaker, const struct breaker_doubt *doubt);

void breaker_register_metrics(void);
