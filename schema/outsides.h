/* schema/outsides.h - whom a stage calls: the one table of payment providers and carriers
 *
 * A name is what the books, the breaker, metrics and `docket pause NAME` call it.
 */
#pragma once

#include "schema/stages.h"

struct outside {
    const char *name;
    enum stage stage;        /* leads those that call it: its breaker is theirs */
    const char *unavailable; /* the reason of an order that waits for it */
};

/* The stage whose outside, and whose breaker, this one shares; itself, if it is nobody else's. */
enum stage outside_lead(enum stage stage);
const struct outside *outside_of(enum stage stage);    /* NULL: the stage calls nobody */
const struct outside *outside_named(const char *name); /* NULL: there is none */
