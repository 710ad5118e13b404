/* api/cancel.h - an order is taken back: what the public route and the operators' share */
#pragma once

#include "base/pg_params.h"
#include "schema/order_id.h"

/* $3 to $5 of order_cancel.sql. */
void cancel_fill(struct pg_params *params, const struct order_id *id, bool is_operator);
