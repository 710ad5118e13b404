/* ops/cli/admin_call.h - what came of the calls to the operators' listener */
#pragma once

/* EXIT_REFUSED, or why the last call failed: EXIT_UNREACHED (nothing was done), EXIT_UNKNOWN. */
int admin_exit_code(void);
