/* ops/cli/doctor_grants.h - what the migrations grant the programs' roles, read from their text
 *
 * So a grant that a new migration makes is looked for without a second list of it.  Read are GRANT
 * and REVOKE of tables, sequences and functions that stand for themselves; what is made inside a
 * function's or DO's body ($$ … $$) is not.
 */
#pragma once

#include "base/pg_params.h"

/* Four text arrays: roles, kinds (TABLE, SEQUENCE, FUNCTION), what it is granted on, privileges. */
void doctor_grants_add(struct pg_params *params);
