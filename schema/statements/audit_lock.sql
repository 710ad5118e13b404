-- One act of an operator after the other, before any row is locked: see audit_append.
SELECT pg_advisory_xact_lock(hashtext('docket audit'))
