-- Gives a transaction that stored nothing an xid, so that its commit waits for the standby like any
-- other: what it found may be visible here and not yet replicated.
SELECT pg_logical_emit_message(true, 'docket', '')
