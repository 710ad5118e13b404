/* schema/stages.h - the steps of an order: the one table
 *
 * A row is: its number, as stored (never renumbered, without gaps); its name in C; its name
 * everywhere else: the routing key, the queue docket.NAME, the argument of docket-worker, and
 * NAME_step in workers/steps/NAME.c.  What a step on the way is done with goes on to the row below
 * it; those beside the way are taken when somebody asks for them.
 */
#pragma once

#include <stdbool.h>

#define STAGES_ON_THE_WAY(STAGE)                                                                   \
    STAGE(1, PAYMENT, payment)                                                                     \
    STAGE(2, FULFILMENT, fulfilment)

#define STAGES_BESIDE(STAGE)                                                                       \
    STAGE(3, CANCEL, cancel)                                                                       \
    STAGE(4, REFUND, refund)

#define STAGES(STAGE) STAGES_ON_THE_WAY(STAGE) STAGES_BESIDE(STAGE)

enum stage {
    STAGE_NONE = 0,
#define STAGE(number, NAME, name) STAGE_##NAME = number,
    STAGES(STAGE)
#undef STAGE
#define STAGE(number, NAME, name) +1
        STAGE_COUNT = 1 STAGES(STAGE)
#undef STAGE
};

const char *stage_name(enum stage stage); /* "payment", …; "none" */
bool stage_parse(const char *name, enum stage *stage) __attribute__((warn_unused_result));
enum stage stage_after(enum stage stage); /* STAGE_NONE: it is the last, or beside the way */
