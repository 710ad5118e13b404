-- docket doctor: is there a partition for the orders of next week, and of the months to come?
WITH parent AS (
    SELECT c.oid, c.relname FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid
    WHERE c.relnamespace = 'public'::regnamespace
), month AS (
    SELECT n, to_char(date_trunc('month', (now() + interval '7 days') AT TIME ZONE 'UTC')
                      + make_interval(months => n), 'YYYY_MM') AS name
    FROM generate_series(0, 2) AS n
), missing AS (
    SELECT p.relname, m.n, m.name FROM parent p CROSS JOIN month m
    WHERE NOT EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                      WHERE i.inhparent = p.oid AND c.relname = p.relname || '_' || m.name
                        AND NOT i.inhdetachpending)
)
SELECT 'schema.partitions', CASE WHEN min(n) = 0 THEN 'fail' ELSE 'warn' END,
       CASE WHEN min(n) = 0 THEN 'orders of next week will be refused: no partition '
            ELSE 'no partition ' END || string_agg(relname || '_' || name, ', ' ORDER BY name, relname),
       'docket migrate up (and see why the relay did not make them: its log)'
FROM missing HAVING count(*) > 0
UNION ALL
SELECT 'schema.partitions', 'ok', 'there are partitions for the months to come', ''
WHERE NOT EXISTS (SELECT FROM missing) AND EXISTS (SELECT FROM parent)
