#include "base/amqp_acks.h"

#include <stdlib.h>

#include "base/memory.h"

enum { ROOM_FIRST = 1024 };
enum state { GONE, OPEN, ACKED, REJECTED }; /* one byte each in the ring */

static uint8_t *at(const struct amqp_acks *acks, uint64_t tag)
{
    return &acks->states[tag & (acks->room - 1)];
}

static void start_over(struct amqp_acks *acks)
{
    acks->noted_count = 0;
    acks->first = acks->next = 1;
}

void amqp_acks_init(struct amqp_acks *acks)
{
    *acks = (struct amqp_acks){.room = ROOM_FIRST};
    acks->states = xcalloc(ROOM_FIRST, 1);
    start_over(acks);
}

void amqp_acks_finish(struct amqp_acks *acks)
{
    free(acks->states);
    free(acks->noted);
    *acks = (struct amqp_acks){0};
}

/* One delivery that is open for long keeps the ring wide: a byte for each that came after it. */
static void grow(struct amqp_acks *acks)
{
    struct amqp_acks wider = *acks;

    wider.room *= 2;
    wider.states = xcalloc(wider.room, 1);
    for (uint64_t tag = acks->first; tag < acks->next; tag++)
        *at(&wider, tag) = *at(acks, tag);
    free(acks->states);
    *acks = wider;
}

void amqp_acks_delivered(struct amqp_acks *acks, uint64_t tag)
{
    while (acks->next <= tag) {
        if (acks->next - acks->first == acks->room)
            grow(acks);
        *at(acks, acks->next) = acks->next == tag ? OPEN : GONE;
        acks->next++;
    }
}

void amqp_acks_note(struct amqp_acks *acks, uint64_t tag, bool is_reject)
{
    if (tag < acks->first || tag >= acks->next || *at(acks, tag) != OPEN)
        return;
    *at(acks, tag) = is_reject ? REJECTED : ACKED;
    if (acks->noted_count == acks->noted_room) {
        acks->noted_room = acks->noted_room ? acks->noted_room * 2 : 256;
        acks->noted = xrealloc(acks->noted, acks->noted_room * sizeof(acks->noted[0]));
    }
    acks->noted[acks->noted_count++] = tag;
}

/* Before any ack of higher tags, which would cover them. */
static void flush_rejects(struct amqp_acks *acks, const struct amqp_acks_sink *sink)
{
    for (size_t i = 0; i < acks->noted_count; i++) {
        if (*at(acks, acks->noted[i]) != REJECTED)
            continue;
        sink->on_reject(sink->to, acks->noted[i]);
        *at(acks, acks->noted[i]) = GONE;
    }
}

/* All that is settled from the first on leaves the ring, with one ack for its last acked tag. */
static void flush_prefix(struct amqp_acks *acks, const struct amqp_acks_sink *sink)
{
    uint64_t last = 0;
    size_t count = 0;

    for (; acks->first < acks->next && *at(acks, acks->first) != OPEN; acks->first++) {
        if (*at(acks, acks->first) != ACKED)
            continue;
        last = acks->first;
        count++;
    }
    if (count > 0)
        sink->on_ack(sink->to, last, count > 1);
}

static void flush_rest(struct amqp_acks *acks, const struct amqp_acks_sink *sink)
{
    for (size_t i = 0; i < acks->noted_count; i++) {
        uint64_t tag = acks->noted[i];

        if (tag < acks->first || *at(acks, tag) != ACKED)
            continue;
        sink->on_ack(sink->to, tag, false);
        *at(acks, tag) = GONE;
    }
}

void amqp_acks_flush(struct amqp_acks *acks, const struct amqp_acks_sink *sink)
{
    if (acks->noted_count == 0)
        return;
    flush_rejects(acks, sink);
    flush_prefix(acks, sink);
    flush_rest(acks, sink);
    acks->noted_count = 0;
}

void amqp_acks_lose(struct amqp_acks *acks)
{
    start_over(acks);
}
