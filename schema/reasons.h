/* schema/reasons.h - what a shop may tell its customer of an order: the one table (reasons.c)
 *
 * A row's name is that of an order's reason or, where it has none, of its status.  The words are
 * true whenever an order has the name, whatever happened before; they promise nothing, and never
 * say why a card was declined.
 *
 * A new reason of order_decide needs a row (a unit goes through all that it can leave behind), and
 * then `python3 ops/lib/reasons.py`, which writes the table of docs/api.md anew.
 */
#pragma once

enum reason_turn {
    REASON_WAIT, /* nothing is asked of the customer */
    REASON_ACT,  /* it goes on, or ends, by what the customer does */
};

struct reason {
    const char *name;
    enum reason_turn turn;
    const char *customer; /* the words */
};

/* Of an order's reason, or of its status where the reason is "".  NULL: no row has the name. */
const struct reason *reason_of(const char *status, const char *reason);
