-- What waits besides the outbox, counted up to a bound, and how long the oldest of it has waited: both by one
-- walk, since what was dealt with is stepped over until vacuum comes.
--   $1 count up to here
SELECT w.count AS waiting,
       coalesce((extract(epoch FROM clock_timestamp() - w.oldest) * 1000)::int8, 0) AS late_ms,
       (SELECT coalesce(sum(open + replaying), 0)::int8 FROM incident_part) AS dead,
       coalesce((SELECT (extract(epoch FROM clock_timestamp() - min(d.created_at)) * 1000)::int8
                 FROM unnest(ARRAY['open', 'replaying']) AS wanted (state) CROSS JOIN LATERAL (
                     SELECT created_at FROM dead_letter WHERE state = wanted.state
                     ORDER BY created_at, id LIMIT 1
                 ) AS d), 0) AS dead_oldest_ms,
       u.count AS unknown,
       coalesce((extract(epoch FROM clock_timestamp() - u.oldest) * 1000)::int8, 0) AS unknown_oldest_ms,
       r.count AS refunds_unknown,
       coalesce((extract(epoch FROM clock_timestamp() - r.oldest) * 1000)::int8, 0) AS refunds_unknown_oldest_ms,
       p.count AS parked,
       coalesce((extract(epoch FROM clock_timestamp() - p.oldest) * 1000)::int8, 0) AS parked_oldest_ms,
       (SELECT max(age(datfrozenxid)) FROM pg_database)::int8 AS xid_age,
       pg_database_size(current_database()) AS database_bytes,
       (SELECT count(*) FROM (SELECT FROM orphan WHERE resolved_at IS NULL LIMIT $1::int8) AS o)
           AS orphans,
       (SELECT (extract(epoch FROM clock_timestamp() - ended_at) * 1000)::int8 FROM orphan_sweep)
           AS sweep_ms
FROM (SELECT count(*), min(due_at) AS oldest
      FROM (SELECT due_at FROM task WHERE due_at IS NOT NULL ORDER BY due_at LIMIT $1::int8) AS t) AS w,
     (SELECT count(*), min(unknown_since) AS oldest
      FROM (SELECT unknown_since FROM payment_attempt WHERE state = 6 ORDER BY unknown_since LIMIT $1::int8) AS t) AS u,
     (SELECT count(*), min(unknown_since) AS oldest
      FROM (SELECT unknown_since FROM refund WHERE state = 4 ORDER BY unknown_since LIMIT $1::int8) AS t) AS r,
     (SELECT count(*), min(parked_at) AS oldest
      FROM (SELECT parked_at FROM task WHERE parked_at IS NOT NULL LIMIT $1::int8) AS t) AS p
