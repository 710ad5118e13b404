-- docket doctor: does the database's clock agree with this machine's?
--   $1 this machine's clock, in µs since 1970, just before it asked
SELECT 'clock.database', CASE WHEN abs(ahead_s) < 2 THEN 'ok' ELSE 'warn' END,
       CASE WHEN abs(ahead_s) < 2 THEN 'the database''s clock agrees with this machine''s ('
                                       || round(ahead_s::numeric, 1) || ' s)'
            ELSE 'the database''s clock is ' || round(abs(ahead_s)::numeric, 1) || ' s '
                 || CASE WHEN ahead_s > 0 THEN 'ahead of' ELSE 'behind' END || ' this machine''s' END,
       'let NTP run on both: date -u on each says which one is wrong'
FROM (SELECT extract(epoch FROM clock_timestamp()) - $1::int8 / 1000000.0 AS ahead_s) AS c
