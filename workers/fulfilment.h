/* workers/fulfilment.h - ship what was paid: the step behind docket.fulfilment
 *
 *     (first try) ──────────────────────────► ship ─► shipped │ refused │ unknown
 *     (later ones) ─► look the reference up ─┬─ there ─► shipped                │
 *                                            └─ none ─► ship ◄──(later)─────────┘
 *
 * The carrier keeps our reference unique for ever, so shipping twice under it makes one shipment.
 */
#pragma once

#include "workers/runner.h"

extern const struct step fulfilment_step; /* its outside is a struct carrier */
