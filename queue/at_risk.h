/* queue/at_risk.h - the money of dead letters that nobody has closed, as a gauge for each currency
 *
 * A currency has a series from its first dead letter on, for as long as the process lives; 0 once
 * they are closed.  There are AT_RISK_CURRENCIES at most.
 */
#pragma once

#include <libpq-fe.h>

enum { AT_RISK_CURRENCIES = 16 };

void at_risk_register_metrics(void);
void at_risk_note(const PGresult *rows); /* of keeper_at_risk.sql */
void at_risk_forget(void);               /* this relay does not lead: it shows none */
