-- Messages that were confirmed long enough ago to be looked at, with their tasks as they are now.
--   $1 due since (µs since 1970 or, negative, before now)   $2 rows of `published` at most
-- One row back for each message; state 0: nothing is owed to it any more.
-- What was claimed is looked up once: of each worker a transaction held open keeps a row a second.
WITH claims AS MATERIALIZED (
    SELECT stage, max(upto) AS upto
    FROM (SELECT stage, upto FROM claimed UNION ALL SELECT stage, claimed_upto FROM worker) AS c
    GROUP BY stage
)
SELECT p.id, p.topic, p.published_upto, p.confirmed_us, p.now_us, p.look_us, p.claimed_upto,
       u.order_id, u.trace, coalesce(t.state, 0::int2) AS state, coalesce(t.fence, 0) AS fence,
       coalesce(t.sweeps, 0) AS sweeps,
       CASE WHEN t.state = 2 THEN worker_gone(t.worker_id) ELSE false END AS is_holder_gone
FROM (
    SELECT id, topic, order_ids, traces, published_upto,
           (extract(epoch FROM confirmed_at) * 1000000)::int8 AS confirmed_us,
           (extract(epoch FROM clock_timestamp()) * 1000000)::int8 AS now_us,
           (extract(epoch FROM look_at) * 1000000)::int8 AS look_us,
           coalesce((SELECT c.upto FROM claims c WHERE c.stage = topic), 0) AS claimed_upto
    FROM published
    WHERE look_at <= now()
      AND look_at >= CASE WHEN $1::int8 < 0 THEN now() ELSE to_timestamp(0) END
                     + $1::int8 * interval '1 microsecond'
    ORDER BY look_at
    LIMIT $2::int4
) AS p
CROSS JOIN LATERAL unnest(p.order_ids, p.traces) AS u (order_id, trace)
LEFT JOIN LATERAL (
    SELECT state, fence, sweeps, worker_id FROM task
    WHERE order_id = u.order_id AND stage = p.topic AND state IN (1, 2)
    LIMIT 1  -- one probe a message, whatever a plan believes
) AS t ON true
