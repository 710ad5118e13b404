-- Outbox rows from the safe floor on, in the order of their ids, with the snapshot they were seen in.
--   $1 rows at most   $2 floor   $3 ids in hand   $4 topics at rest
-- One row without an id if there is nothing.
SELECT pg_snapshot_xmin(s.snapshot)::text::int8 AS xmin, pg_snapshot_xmax(s.snapshot)::text::int8 AS xmax,
       o.id, o.topic, o.order_ids, o.traces
FROM (SELECT pg_current_snapshot() AS snapshot) AS s
LEFT JOIN LATERAL (
    SELECT id, topic, order_ids, traces
    FROM outbox
    WHERE id >= $2::int8
      AND id NOT IN (SELECT unnest($3::int8[]))
      AND topic <> ALL ($4::int2[])
    ORDER BY id
    LIMIT $1::int4
) AS o ON true
