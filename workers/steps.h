/* workers/steps.h - the step of each stage: NAME_step is in workers/steps/NAME.c */
#pragma once

#include "schema/stages.h"
#include "workers/runner.h"

#define STAGE(number, NAME, name) extern const struct step name##_step;
STAGES(STAGE)
#undef STAGE
