-- docket doctor: does this Postgres keep what it has committed, for every role of ours?
--   $1 is one disk enough (DOCKET_SINGLE_NODE)
-- Rows: what was looked at, ok, warn, fail or skip, what was found, how to mend it.
WITH durable (name) AS (VALUES ('fsync'), ('full_page_writes'), ('synchronous_commit')), low AS (
    SELECT name, current_setting(name) AS value FROM durable
    WHERE current_setting(name) = 'off' OR (name = 'synchronous_commit' AND NOT $1::bool
                                            AND current_setting(name) = 'local')
), own AS (
    SELECT split_part(setting, '=', 1) AS name, setting, r.rolname, d.datname
    FROM pg_db_role_setting s
    CROSS JOIN LATERAL unnest(s.setconfig) AS setting
    LEFT JOIN pg_roles r ON r.oid = s.setrole
    LEFT JOIN pg_database d ON d.oid = s.setdatabase
    WHERE split_part(setting, '=', 1) IN (SELECT name FROM durable)
      AND (split_part(setting, '=', 2) IN ('off', 'local', 'false', 'no', '0'))
      AND (s.setrole = 0 OR r.rolname IN ('docket_api', 'docket_relay', 'docket_worker'))
      AND (s.setdatabase = 0 OR d.datname = current_database())
)
SELECT 'postgres.' || name, 'fail', name || ' is ' || value || ': what was answered 202 can be lost',
       'ALTER SYSTEM SET ' || name || ' = on, then SELECT pg_reload_conf()'
FROM low
UNION ALL
SELECT 'postgres.' || name, 'fail',
       concat_ws(' ', setting, 'is set', 'for role ' || rolname, 'in database ' || datname,
                 ': what was answered 202 can be lost'),
       concat_ws(' ', 'ALTER', CASE WHEN rolname IS NULL THEN 'DATABASE ' || quote_ident(datname)
                               ELSE 'ROLE ' || quote_ident(rolname)
                                    || coalesce(' IN DATABASE ' || quote_ident(datname), '') END,
                 'RESET', name)
FROM own
UNION ALL
SELECT 'postgres.durable', 'ok', 'fsync, full_page_writes and synchronous_commit are on', ''
WHERE NOT EXISTS (SELECT FROM low) AND NOT EXISTS (SELECT FROM own)
UNION ALL
SELECT 'postgres.standby',
       CASE WHEN current_setting('synchronous_standby_names') <> '' THEN 'ok'
            WHEN $1::bool THEN 'warn' ELSE 'fail' END,
       CASE WHEN current_setting('synchronous_standby_names') <> ''
            THEN 'commits wait for ' || current_setting('synchronous_standby_names')
            WHEN $1::bool THEN 'one disk holds the only copy (DOCKET_SINGLE_NODE=1)'
            ELSE 'commits wait for no standby: one disk holds the only copy' END,
       'set synchronous_standby_names to a standby, or DOCKET_SINGLE_NODE=1 if one disk is enough'
UNION ALL
SELECT 'postgres.primary', CASE WHEN pg_is_in_recovery() THEN 'fail' ELSE 'ok' END,
       CASE WHEN pg_is_in_recovery() THEN 'this server is a standby and takes no writes'
            ELSE 'it takes writes' END,
       'let DOCKET_PG name the primary'
UNION ALL
SELECT 'postgres.read_only', 'fail', 'new transactions are read-only: nothing can be accepted',
       'ALTER DATABASE ' || quote_ident(current_database()) || ' RESET default_transaction_read_only, '
       || 'and end the sessions that began with it'
WHERE current_setting('default_transaction_read_only') = 'on'
UNION ALL
SELECT 'postgres.autovacuum', 'warn', 'autovacuum is off: dead rows and transaction ids pile up',
       'ALTER SYSTEM SET autovacuum = on, then SELECT pg_reload_conf()'
WHERE current_setting('autovacuum') <> 'on'
