/* ops/cli/migrate.h - the parts of `docket migrate` */
#pragma once

#include "ops/cli/command.h"

extern const struct command command_months, command_retire; /* migrate_months.c */
