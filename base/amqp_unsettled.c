#include "base/amqp_unsettled.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { ROOM_FIRST = 1024 };

struct amqp_unsettled_entry {
    uint64_t cookie;
    enum { SETTLED, WAITING, RETURNED } state;
    char message_id[68];
};

void amqp_settled_add(struct amqp_settled_batch *batch, uint64_t cookie, enum amqp_verdict verdict)
{
    if (batch->count == batch->room) {
        batch->room = batch->room ? batch->room * 2 : 256;
        batch->settled = xrealloc(batch->settled, batch->room * sizeof(batch->settled[0]));
    }
    batch->settled[batch->count++] = (struct amqp_settled){cookie, verdict};
}

static struct amqp_unsettled_entry *at(const struct amqp_unsettled *unsettled, uint64_t tag)
{
    return &unsettled->entries[tag & (unsettled->room - 1)];
}

static void start_over(struct amqp_unsettled *unsettled)
{
    unsettled->count = 0;
    unsettled->first = unsettled->next = unsettled->seek = 1;
}

void amqp_unsettled_init(struct amqp_unsettled *unsettled)
{
    unsettled->room = ROOM_FIRST;
    unsettled->entries = xcalloc(ROOM_FIRST, sizeof(unsettled->entries[0]));
    start_over(unsettled);
}

void amqp_unsettled_finish(struct amqp_unsettled *unsettled)
{
    free(unsettled->entries);
    unsettled->entries = NULL;
}

static void grow(struct amqp_unsettled *unsettled)
{
    struct amqp_unsettled wider = *unsettled;

    wider.room *= 2;
    wider.entries = xcalloc(wider.room, sizeof(wider.entries[0]));
    for (uint64_t tag = unsettled->first; tag < unsettled->next; tag++)
        *at(&wider, tag) = *at(unsettled, tag);
    free(unsettled->entries);
    *unsettled = wider;
}

uint64_t amqp_unsettled_add(struct amqp_unsettled *unsettled, uint64_t cookie,
                            const char *message_id)
{
    struct amqp_unsettled_entry *entry;

    if (unsettled->next - unsettled->first == unsettled->room)
        grow(unsettled);
    entry = at(unsettled, unsettled->next);
    entry->cookie = cookie;
    entry->state = WAITING;
    snprintf(entry->message_id, sizeof(entry->message_id), "%s", message_id);
    unsettled->count++;
    return unsettled->next++;
}

static bool is_waiting_as(const struct amqp_unsettled_entry *entry, const char *message_id,
                          size_t length)
{
    return entry->state == WAITING && strlen(entry->message_id) == length &&
           memcmp(entry->message_id, message_id, length) == 0;
}

static uint64_t find(const struct amqp_unsettled *unsettled, uint64_t from, const char *message_id,
                     size_t length)
{
    for (uint64_t tag = from; tag < unsettled->next; tag++) {
        if (is_waiting_as(at(unsettled, tag), message_id, length))
            return tag;
    }
    return 0;
}

uint64_t amqp_unsettled_return(struct amqp_unsettled *unsettled, const char *message_id,
                               size_t length)
{
    uint64_t from = unsettled->seek > unsettled->first ? unsettled->seek : unsettled->first;
    uint64_t tag = find(unsettled, from, message_id, length);

    if (tag == 0)
        tag = find(unsettled, unsettled->first, message_id, length);
    if (tag == 0)
        return 0;
    at(unsettled, tag)->state = RETURNED;
    unsettled->seek = tag + 1;
    return tag;
}

static void settle_one(struct amqp_unsettled *unsettled, uint64_t tag, enum amqp_verdict verdict,
                       struct amqp_settled_batch *batch)
{
    struct amqp_unsettled_entry *entry = at(unsettled, tag);

    if (entry->state == SETTLED)
        return;
    if (entry->state == RETURNED && verdict == AMQP_ACKED)
        verdict = AMQP_RETURNED;
    entry->state = SETTLED;
    unsettled->count--;
    amqp_settled_add(batch, entry->cookie, verdict);
}

void amqp_unsettled_settle(struct amqp_unsettled *unsettled, uint64_t tag, bool is_multiple,
                           enum amqp_verdict verdict, struct amqp_settled_batch *batch)
{
    uint64_t from = is_multiple ? unsettled->first : tag;

    if (is_multiple && tag == 0) /* AMQP 0-9-1: "all outstanding" */
        tag = unsettled->next - 1;
    if (tag < unsettled->first || tag >= unsettled->next)
        return;
    for (uint64_t each = from; each <= tag; each++)
        settle_one(unsettled, each, verdict, batch);
    while (unsettled->first < unsettled->next && at(unsettled, unsettled->first)->state == SETTLED)
        unsettled->first++;
}

void amqp_unsettled_lose(struct amqp_unsettled *unsettled, struct amqp_settled_batch *batch)
{
    for (uint64_t tag = unsettled->first; tag < unsettled->next; tag++)
        settle_one(unsettled, tag, AMQP_LOST, batch);
    start_over(unsettled);
}
