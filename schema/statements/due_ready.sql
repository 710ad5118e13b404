-- Waiting tasks whose time has come become ready, and are named by outbox rows.
--   $1 fence   $2 due since (µs since 1970 or, negative, before now)   $3 tasks at most
--   $4 process
-- Rows back: is the lease held, how many were due, the last of them when, and the order of each that
-- moved (one row without an order if none did).  Orders that somebody else holds are left for the next
-- look.
-- LATERAL with a limit, ANY (ARRAY[…]): one probe a row, whatever a plan believes.
WITH lease AS MATERIALIZED (
    SELECT fence FROM relay_lease WHERE fence = $1::int8
), due AS MATERIALIZED (
    SELECT order_id, stage, due_at
    FROM task
    WHERE due_at <= now() AND state = 3
      AND due_at >= CASE WHEN $2::int8 < 0 THEN now() ELSE to_timestamp(0) END
                    + $2::int8 * interval '1 microsecond'
      AND EXISTS (SELECT FROM lease)
    ORDER BY due_at
    LIMIT $3::int4
), locked AS MATERIALIZED (
    SELECT d.order_id, d.stage, o.version, o.status, o.trace
    FROM (SELECT DISTINCT ON (order_id) order_id, stage FROM due ORDER BY order_id, stage) AS d
    CROSS JOIN LATERAL (
        SELECT o.version, o.status, o.trace FROM orders o WHERE o.id = d.order_id LIMIT 1
        FOR UPDATE SKIP LOCKED
    ) AS o
), won AS (
    UPDATE task t SET state = 1, due_at = NULL
    FROM locked l
    WHERE t.order_id = ANY (ARRAY[l.order_id]) AND t.stage = l.stage AND t.state = 3
      AND coalesce(t.due_at <= now(), false)  -- not by the index of what is due: it may have hundreds of thousands
    RETURNING t.order_id, t.stage, t.attempt, l.version + 1 AS version, l.status, l.trace
), moved AS (
    UPDATE orders o SET version = w.version, updated_at = now() FROM won w WHERE o.id = ANY (ARRAY[w.order_id])
), happened AS (
    INSERT INTO order_event (order_id, version, kind, status, process, detail)
    SELECT order_id, version, 'due', status, $4::text,
           jsonb_build_object('stage', stage, 'attempt', attempt)
    FROM won
), announced AS (
    INSERT INTO outbox (topic, order_ids, traces)
    SELECT stage, array_agg(order_id), array_agg(trace)
    FROM (SELECT stage, order_id, trace, (row_number() OVER (PARTITION BY stage) - 1) / 100 AS part
          FROM won) AS ready
    GROUP BY stage, part
)
SELECT EXISTS (SELECT FROM lease) AS is_held, (SELECT count(*) FROM due)::int4 AS seen,
       coalesce((SELECT (extract(epoch FROM max(due_at)) * 1000000)::int8 FROM due), 0) AS reached,
       w.order_id
FROM (SELECT) AS one LEFT JOIN won w ON true
