-- Makes the tasks that events are about look at the provider now: a waiting one becomes ready, and is
-- named by an outbox row.
--   $1 fence   $2 due since (µs since 1970 or, negative, before now)   $3 events at most
--   $4 process
-- Rows back: is the lease held, how many were due, the last of them when, and for each what became of it
-- with the order that moved (one row without either if none was due).  '' is looked at again, later and
-- later: its task is in a worker's hands, or somebody else holds the order.
-- What is read of a task beside its locked order may be older than the lock; a task moves only if it
-- still waits, and an attempt that is not there yet is looked for a few times.
-- LATERAL with a limit, ANY (ARRAY[…]): one probe a row, whatever a plan believes.
WITH lease AS MATERIALIZED (
    SELECT fence FROM relay_lease WHERE fence = $1::int8
), due AS MATERIALIZED (
    SELECT id, event_id, type, stage, says, intent_id, order_id, tries, due_at
    FROM webhook_inbox
    WHERE due_at <= now()
      AND due_at >= CASE WHEN $2::int8 < 0 THEN now() ELSE to_timestamp(0) END
                    + $2::int8 * interval '1 microsecond'
      AND EXISTS (SELECT FROM lease)
    ORDER BY due_at
    LIMIT $3::int4
), locked AS MATERIALIZED (
    SELECT o.*
    FROM (SELECT DISTINCT order_id FROM due WHERE order_id IS NOT NULL ORDER BY order_id) AS d
    CROSS JOIN LATERAL (
        SELECT o.id, o.version, o.status, o.trace FROM orders o WHERE o.id = d.order_id LIMIT 1
        FOR UPDATE SKIP LOCKED
    ) AS o
), judged AS MATERIALIZED (
    SELECT d.id, d.event_id, d.type, d.stage, d.order_id, d.tries, t.state,
           CASE WHEN o.id IS NULL OR a.state IS NULL AND d.tries >= 5 THEN 'unknown_intent'
                WHEN a.state IS NULL THEN ''
                WHEN d.stage = 1 AND (a.state IN (3, d.says) OR a.state IN (4, 7) AND d.says <> 3)
                    THEN 'late'
                WHEN t.state = 2 OR l.id IS NULL THEN ''
                WHEN t.state IN (1, 3) THEN 'looked_up'
                WHEN t.state = 4 THEN 'parked'
                WHEN t.state = 6 THEN 'dead_letter'
                ELSE 'late' END AS outcome
    FROM due d
    LEFT JOIN LATERAL (SELECT o.id FROM orders o WHERE o.id = d.order_id LIMIT 1) AS o ON true
    LEFT JOIN locked l ON l.id = d.order_id
    LEFT JOIN LATERAL (
        SELECT t.state FROM task t WHERE t.order_id = d.order_id AND t.stage = d.stage LIMIT 1
    ) AS t ON true
    LEFT JOIN LATERAL (
        SELECT a.state FROM payment_attempt a
        WHERE a.order_id = d.order_id AND a.intent_id = d.intent_id LIMIT 1
    ) AS a ON true
), won AS (
    UPDATE task t SET state = 1, due_at = NULL
    FROM (SELECT DISTINCT ON (order_id) order_id, stage, id, event_id, type FROM judged
          WHERE outcome = 'looked_up' AND state = 3 ORDER BY order_id, id) AS j, locked l
    WHERE t.order_id = ANY (ARRAY[j.order_id]) AND t.stage = j.stage AND t.state = 3 AND l.id = j.order_id
    RETURNING t.order_id, t.stage, j.id, j.event_id, j.type, l.version + 1 AS version, l.status,
              l.trace
), moved AS (
    UPDATE orders o SET version = w.version, updated_at = now() FROM won w WHERE o.id = ANY (ARRAY[w.order_id])
), happened AS (
    INSERT INTO order_event (order_id, version, kind, status, process, detail)
    SELECT order_id, version, 'webhook', status, $4::text,
           jsonb_build_object('stage', stage, 'type', type, 'event', event_id)
    FROM won
), announced AS (
    INSERT INTO outbox (topic, order_ids, traces)
    SELECT stage, array_agg(order_id), array_agg(trace)
    FROM (SELECT stage, order_id, trace, (row_number() OVER (PARTITION BY stage) - 1) / 100 AS part
          FROM won) AS ready
    GROUP BY stage, part
), told AS MATERIALIZED (
    SELECT j.id, j.tries, w.order_id, coalesce(w.id = j.id, false) AS is_mover,
           CASE WHEN j.outcome = 'looked_up' AND j.state = 3 AND w.id IS NULL THEN ''
                ELSE j.outcome END AS outcome
    FROM judged j LEFT JOIN won w ON w.order_id = j.order_id
), settled AS (
    UPDATE webhook_inbox i
    SET outcome = t.outcome, tries = i.tries + 1,
        due_at = CASE WHEN t.outcome = '' THEN
            now() + least(30000, 200 * 2 ^ least(t.tries, 10)) * interval '1 millisecond' END
    FROM told t WHERE i.id = ANY (ARRAY[t.id])
)
SELECT EXISTS (SELECT FROM lease) AS is_held, (SELECT count(*) FROM due)::int4 AS seen,
       coalesce((SELECT (extract(epoch FROM max(due_at)) * 1000000)::int8 FROM due), 0) AS reached,
       t.outcome,
       CASE WHEN t.is_mover THEN t.order_id END AS order_id
FROM (SELECT) AS one LEFT JOIN told t ON true
