-- A month is about to go: an act of whoever runs the command.
--   $1 "2026-01"   $2 why
SELECT audit_append('docket migrate (' || session_user || ')', 'retire', 'month ' || $1::text, $2::text)
