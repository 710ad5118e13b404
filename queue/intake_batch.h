/* queue/intake_batch.h - what one batch of the intake asks Postgres, and how it reads the answers
 */
#pragma once

#include "queue/intake.h"

/* The owner of the three groups. */
struct intake_batches {
    struct database *database;
    struct pg_params params;
};

extern const struct group_work intake_accept_work, intake_look_up_work, intake_abandon_work;
