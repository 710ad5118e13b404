/* queue/inbox.h - where a provider's event becomes durable, once, under its id
 *
 *     ticket ─► batch: events, fence ─► COMMITTED: new, or there already
 *
 * Only ids are kept.  What follows is the relay's (queue/webhooks.h), so this touches no order and
 * waits for no lock of one.  Also an event that was there already has reached the standby when its
 * ticket is told so.
 *
 * A crash at any point: the event is there or not, and a provider that was not told sends it again.
 */
#pragma once

#include "queue/group.h"
#include "schema/order_id.h"
#include "schema/order_state.h"

enum { INBOX_ID_SIZE = 256, INBOX_TYPE_SIZE = 128 };

struct inbox_event {
    char id[INBOX_ID_SIZE], type[INBOX_TYPE_SIZE];
    enum stage stage;        /* whose task has to look; STAGE_NONE: nobody's */
    enum attempt_state says; /* which the event tells of; ATTEMPT_NONE: of none */
    char intent_id[INTENT_ID_SIZE];
    bool has_order;
    struct order_id order_id; /* that the intent's metadata names */
};

/* Embedded in what the caller submits; he sets the ticket's callbacks and deadline, and event. */
struct inbox_ticket {
    struct group_ticket ticket;
    struct inbox_event event;
    bool is_new; /* after COMMITTED */
};

extern const struct group_work inbox_work; /* its group's owner is the provider's name */
void inbox_register_metrics(void);
