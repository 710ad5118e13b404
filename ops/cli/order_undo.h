/* ops/cli/order_undo.h - docket order cancel, docket order refund */
#pragma once

#include "ops/cli/command.h"

extern const struct command command_order_cancel, command_order_refund, command_order_release;
