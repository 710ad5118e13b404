-- Outbox rows of the topics that may be published now, each topic from its safe floor on in the order of
-- the ids, with the snapshot they were seen in.
--   $1 rows of a topic at most   $2 topics   $3 their floors   $4 ids in hand
--   $5 tell who writes into the outbox now, too: read after the snapshot was taken (queue/writers.h)
-- One row without an id if there is nothing.
-- By a row of both columns, since only the index of both has that order: by the id alone, which a planner prefers
-- where it has seen one topic, a lane steps over all rows of another.
SELECT pg_snapshot_xmin(s.snapshot)::text::int8 AS xmin, pg_snapshot_xmax(s.snapshot)::text::int8 AS xmax,
       o.id, o.topic, o.order_ids, o.traces,
       CASE WHEN $5::bool THEN (
           SELECT coalesce(string_agg(l.virtualtransaction, ','), '') FROM pg_locks l
           WHERE l.locktype = 'relation' AND l.mode = 'RowExclusiveLock' AND l.relation = 'outbox'::regclass
             AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
       ) END AS writers
FROM (SELECT pg_current_snapshot() AS snapshot) AS s
LEFT JOIN LATERAL (
    SELECT ready.id, lane.topic, ready.order_ids, ready.traces
    FROM unnest($2::int2[], $3::int8[]) AS lane (topic, floor)
    CROSS JOIN LATERAL (
        SELECT id, order_ids, traces
        FROM outbox
        WHERE (topic, id) >= (lane.topic, lane.floor) AND topic <= lane.topic
          AND id NOT IN (SELECT unnest($4::int8[]))
        ORDER BY topic, id
        LIMIT $1::int4
    ) AS ready
) AS o ON true
