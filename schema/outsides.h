/* schema/outsides.h - whom a stage calls: the one table of payment providers and carriers
 *
 * A name is what the books, the breaker, metrics and `docket pause NAME` call it.
 */
#pragma once

#include "schema/stages.h"

struct outside {
    const char *name;
    enum stage stage;
    const char *unavailable; /* the reason of an order that waits for it */
};

const struct outside *outside_of(enum stage stage);    /* NULL: the stage calls nobody */
const struct outside *outside_named(const char *name); /* NULL: there is none */
