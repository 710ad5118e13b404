/* tests/schema/lesson.h - a lesson of each verdict, and the usual policy, for units of
 * order_decide() */
#pragma once

#include "schema/order_state.h"

enum { LONGEST_MS = 80000, SLA_MS = 900000, WAIT_MS = 1800000 };

extern const struct order_policy usual_policy;

struct order_lesson lesson_of(enum verdict verdict);
