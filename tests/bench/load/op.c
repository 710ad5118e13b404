#include "tests/bench/load/op.h"

#include <stddef.h>

#include "base/memory.h"

static void swap(struct op_heap *heap, int a, int b)
{
    struct op *op = heap->ops[a];

    heap->ops[a] = heap->ops[b];
    heap->ops[b] = op;
}

void op_heap_push(struct op_heap *heap, struct op *op)
{
    int at = heap->count++;

    if (heap->count > heap->room) {
        heap->room = heap->room ? heap->room * 2 : 1024;
        heap->ops = xrealloc(heap->ops, (size_t)heap->room * sizeof(struct op *));
    }
    heap->ops[at] = op;
    for (; at > 0 && heap->ops[at]->due_ns < heap->ops[(at - 1) / 2]->due_ns; at = (at - 1) / 2)
        swap(heap, at, (at - 1) / 2);
}

static void sink(struct op_heap *heap)
{
    int at = 0, child;

    while ((child = 2 * at + 1) < heap->count) {
        if (child + 1 < heap->count && heap->ops[child + 1]->due_ns < heap->ops[child]->due_ns)
            child++;
        if (heap->ops[at]->due_ns <= heap->ops[child]->due_ns)
            return;
        swap(heap, at, child);
        at = child;
    }
}

struct op *op_heap_pop_due(struct op_heap *heap, uint64_t now_ns)
{
    struct op *op;

    if (heap->count == 0 || heap->ops[0]->due_ns > now_ns)
        return NULL;
    op = heap->ops[0];
    heap->ops[0] = heap->ops[--heap->count];
    sink(heap);
    return op;
}
