-- The outbox's backlog, and whether orders of the day in a week have a place.
--   $1 floor: there are no rows below it   $2 count up to here
SELECT (SELECT count(*) FROM (SELECT FROM outbox WHERE id >= $1::int8 LIMIT $2::int8) AS o) AS rows,
       coalesce((SELECT (extract(epoch FROM clock_timestamp() - at) * 1000)::int8
                 FROM outbox WHERE id >= $1::int8 ORDER BY id LIMIT 1), 0) AS oldest_ms,
       to_regclass('public.orders_'
                   || to_char((now() + interval '7 days') AT TIME ZONE 'UTC', 'YYYY_MM')) IS NULL
           AS is_missing
