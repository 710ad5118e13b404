-- Whoever waits for a lock lets others wait behind it: rather later again.  But autovacuum makes way
-- only for who has waited as long as deadlock_timeout, which is 1 s by default.
SELECT set_config('lock_timeout', '200ms', false), set_config('deadlock_timeout', '20ms', false)
