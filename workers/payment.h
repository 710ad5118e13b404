/* workers/payment.h - reserve, then pay: the step behind docket.payment
 *
 *     reserve ─► create the intent ─► store its id ─► confirm ─► paid │ declined │ customer │
 * unknown ▲                                                    │ └─ confirm again ◄─ not acted on
 * ◄── look it up ◄────┘
 *
 * The intent and the number of the confirm are committed before a confirm is sent, so a payment is
 * never asked for in a way that the books could not tell.  Once a confirm may have been sent, only
 * a look-up (or a successful cancel) says what happened; one intent succeeds at most once.
 */
#pragma once

#include "workers/runner.h"

extern const struct step payment_step; /* its outside is a struct provider */
