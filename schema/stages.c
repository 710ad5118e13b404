#include "schema/stages.h"

#include <stddef.h>
#include <string.h>

#include "base/memory.h"

static const struct {
    enum stage stage;
    const char *name;
} rows[] = {
#define STAGE(number, NAME, name) {STAGE_##NAME, #name},
    STAGES(STAGE)
#undef STAGE
};

const char *stage_name(enum stage stage)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].stage == stage)
            return rows[i].name;
    }
    return "none";
}

bool stage_parse(const char *name, enum stage *stage)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (strcmp(rows[i].name, name) == 0) {
            *stage = rows[i].stage;
            return true;
        }
    }
    return false;
}

enum stage stage_after(enum stage stage)
{
    static const enum stage way[] = {
#define STAGE(number, NAME, name) STAGE_##NAME,
        STAGES_ON_THE_WAY(STAGE)
#undef STAGE
    };

    for (size_t i = 0; i + 1 < ARRAY_SIZE(way); i++) {
        if (way[i] == stage)
            return way[i + 1];
    }
    return STAGE_NONE;
}
