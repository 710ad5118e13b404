/* tests/bench/load/op.h - what one client wants: an order, or to look at one; in as many attempts
 * as it takes
 *
 *     arrival ─► READY ─► on a connection ─► answered
 *                  ▲                  └─► later (again after a pause, with the same key)
 *                  └───────────────────────┘
 */
#pragma once

#include <stdint.h>
#include <sys/queue.h>

struct op {
    uint64_t number;           /* of the order, or of the id that is asked for */
    uint64_t first_ns, due_ns; /* when it was meant to begin; when this attempt was */
    int phase, attempts;
    STAILQ_ENTRY(op) next;
};
STAILQ_HEAD(op_list, op);

/* Those that will be due later, the next one first. */
struct op_heap {
    struct op **ops;
    int count, room;
};

void op_heap_push(struct op_heap *heap, struct op *op);
struct op *op_heap_pop_due(struct op_heap *heap, uint64_t now_ns); /* NULL: none is due */
