-- docket doctor: how full the disks of Postgres are, by the lines of df.
SELECT DISTINCT 'postgres.disk', CASE WHEN free_kb * 20 < all_kb THEN 'fail'
                                      WHEN free_kb * 10 < all_kb THEN 'warn' ELSE 'ok' END,
       pg_size_pretty(free_kb * 1024) || ' of ' || pg_size_pretty(all_kb * 1024) || ' are free at ' || place,
       'make room: old logs, WAL that a slot keeps (postgres.slots), or a larger disk'
FROM (SELECT part[1]::int8 AS all_kb, part[2]::int8 AS free_kb, part[3] AS place
      FROM docket_doctor_disk
      CROSS JOIN LATERAL regexp_match(line, '^.*\s(\d+)\s+\d+\s+(\d+)\s+\d+%\s+(.*)$') AS part
      WHERE part[1]::int8 > 0) AS d
