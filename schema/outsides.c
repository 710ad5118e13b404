#include "schema/outsides.h"

#include <stddef.h>
#include <string.h>

#include "base/memory.h"

static const struct outside rows[] = {
    {"stripe", STAGE_PAYMENT, "provider_unavailable"},
    {"carrier", STAGE_FULFILMENT, "carrier_unavailable"},
};

enum stage outside_lead(enum stage stage)
{
    return stage == STAGE_CANCEL || stage == STAGE_REFUND ? STAGE_PAYMENT : stage;
}

const struct outside *outside_of(enum stage stage)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].stage == outside_lead(stage))
            return &rows[i];
    }
    return NULL;
}

const struct outside *outside_named(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    }
    return NULL;
}
