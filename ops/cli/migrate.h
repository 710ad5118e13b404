/* ops/cli/migrate.h - the migrations that this program was built with */
#pragma once

#include "base/pg_params.h"

/* Three arrays: their versions, names and checksums. */
void migrate_add_known(struct pg_params *params);
