-- docket doctor: are there connections left, for the server and for each role of ours?
WITH used AS (
    SELECT sum(numbackends)::int AS count FROM pg_stat_database
), room AS (
    SELECT current_setting('max_connections')::int
           - current_setting('superuser_reserved_connections')::int AS most
), role AS (
    SELECT r.rolname AS name, r.rolconnlimit AS most,
           (SELECT count(*) FROM pg_stat_activity a WHERE a.usename = r.rolname) AS count
    FROM pg_roles r
    WHERE r.rolname IN ('docket_api', 'docket_relay', 'docket_worker') AND r.rolconnlimit >= 0
)
SELECT 'postgres.connections',
       CASE WHEN count >= most THEN 'fail' WHEN count * 10 >= most * 8 THEN 'warn' ELSE 'ok' END,
       count || ' of ' || most || ' connections are used',
       'raise max_connections (it needs a restart), or end what is not needed: pg_stat_activity'
FROM used, room
UNION ALL
SELECT 'postgres.connections', CASE WHEN count >= most THEN 'fail' ELSE 'warn' END,
       'role ' || name || ' uses ' || count || ' of the ' || most || ' connections that it may have',
       'ALTER ROLE ' || name || ' CONNECTION LIMIT -1'
FROM role WHERE count * 10 >= most * 8
