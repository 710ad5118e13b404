-- docket doctor: replication slots that nobody reads keep the WAL until the disk is full.
WITH idle AS (
    SELECT slot_name, coalesce(pg_wal_lsn_diff(
               CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
               restart_lsn), 0) AS bytes
    FROM pg_replication_slots WHERE NOT active
)
SELECT 'postgres.slots', CASE WHEN bytes > 1073741824 THEN 'fail' ELSE 'warn' END,
       'nobody reads replication slot ' || slot_name || ', which keeps ' || pg_size_pretty(bytes)
           || ' of WAL',
       format('start its reader, or %s pg_drop_replication_slot(%L)', 'SELECT', slot_name)
FROM idle
UNION ALL
SELECT 'postgres.slots', 'ok', 'every replication slot is read', '' WHERE NOT EXISTS (SELECT FROM idle)
