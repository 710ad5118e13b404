-- One act of an operator after the other: each hash covers the one before it.
SELECT pg_advisory_xact_lock(hashtext('docket audit'))
