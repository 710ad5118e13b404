/* ops/cli/migrate.h - the parts of `docket migrate`, and the migrations it was built with */
#pragma once

#include "base/pg_params.h"
#include "ops/cli/command.h"

extern const struct command command_months, command_retire; /* migrate_months.c */

/* Three arrays: their versions, names and checksums. */
void migrate_add_known(struct pg_params *params);
