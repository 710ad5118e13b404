-- docket doctor: who holds a transaction open?  In any database of the cluster: the outbox's floor and
-- every vacuum wait for it.
--   $1 longer than so many seconds
WITH held AS (
    SELECT 'pid ' || a.pid || ' (' || concat_ws(', ', coalesce(a.usename, '?'),
               nullif(a.application_name, ''), 'database ' || a.datname, a.state) || ')' AS who,
           extract(epoch FROM now() - a.xact_start) AS for_s,
           format('%s pg_terminate_backend(%s)', 'SELECT', a.pid) AS mend
    FROM pg_stat_activity a
    WHERE a.xact_start < now() - $1::int8 * interval '1 second' AND a.pid <> pg_backend_pid()
      AND a.backend_type IN ('client backend', 'parallel worker')
    UNION ALL
    SELECT 'prepared transaction ' || p.gid || ' (' || p.owner || ', database ' || p.database || ')',
           extract(epoch FROM now() - p.prepared),
           format('ROLLBACK PREPARED %L (in database %s)', p.gid, p.database)
    FROM pg_prepared_xacts p WHERE p.prepared < now() - $1::int8 * interval '1 second'
), hidden AS (
    SELECT count(*) AS count FROM pg_stat_activity
    WHERE backend_type IS NULL AND pid <> pg_backend_pid()
)
(SELECT 'postgres.transactions', CASE WHEN for_s > 600 THEN 'fail' ELSE 'warn' END,
        who || ' has held a transaction open for ' || round(for_s::numeric) || ' s',
        mend || ', if it is not needed'
 FROM held ORDER BY for_s DESC LIMIT 10)
UNION ALL
SELECT 'postgres.transactions', 'ok', 'nobody has held one open for ' || $1::int8 || ' s', ''
FROM hidden WHERE NOT EXISTS (SELECT FROM held) AND count = 0
UNION ALL
SELECT 'postgres.transactions', 'skip', count || ' sessions are not shown to this role',
       'run it with DOCKET_PG as a superuser, or GRANT pg_monitor TO ' || quote_ident(current_user)
FROM hidden WHERE count > 0
