#include "schema/outsides.h"

#include <stddef.h>
#include <string.h>

#include "base/memory.h"

static const struct outside rows[] = {
    {"stripe", STAGE_PAYMENT, "provider_unavailable"},
    {"carrier", STAGE_FULFILMENT, "carrier_unavailable"},
};

const struct outside *outside_of(enum stage stage)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].stage == stage)
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
