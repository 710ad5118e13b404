/* tests/workers/life/inside.h - what the world's two halves know of each other */
#pragma once

#include "tests/workers/life/world.h"

#include <stddef.h>

struct job;

int64_t world_now_ms(void);
const char *world_public_id(int order);
int world_order(const char *public_id); /* its number, or -1 */
int world_order_by_reference(const char *reference);
struct job *world_caller(void); /* whose step is running */
/* What a call about money or goods takes to be right at the moment at which it is begun, or acts.
 */
bool promises_may_charge(int order, const char *intent);
bool promises_may_create(int order);
bool promises_may_ship(int order);
bool promises_may_fence(int order);
void promises_note_call(int operation); /* of the caller */
/* The first wrong is kept. */
void world_break(const char *format, ...) __attribute__((format(printf, 1, 2)));
void world_see(enum world_sight sight);
