-- Lets parked tasks of a stage, and of those that it leads, out, oldest order first, and moves what
-- held them back a step on.
--   $1 fence   $2 stage   $3 version of its breakers, as it was seen   $4 their state from now on
--   $5 their rate   $6 tasks at most   $7 only orders after this one   $8 process
--   $9 it, and the stages that it leads
-- Rows back: is the lease held, are the breakers as they were seen, how many were found, the last of
-- them, and each order that was let out (one row without an order if none was).  Orders that somebody
-- else holds are left for a later look.
-- LATERAL with a limit: one probe a row, whatever a plan made over empty tables believes.
WITH lease AS MATERIALIZED (
    SELECT fence FROM relay_lease WHERE fence = $1::int8
), held AS MATERIALIZED (
    SELECT b.name, b.class, b.state, b.version, b.opened
    FROM breaker b, lease
    WHERE b.stage = $2::int2 AND NOT b.is_queue
    ORDER BY b.name, b.class
    FOR UPDATE OF b
), target AS MATERIALIZED (
    SELECT coalesce(max(h.opened), 0) AS opened
    FROM lease LEFT JOIN held h ON true
    HAVING count(lease.fence) > 0 AND coalesce(max(h.version), 0) = $3::int8
), parked AS MATERIALIZED (
    SELECT DISTINCT ON (t.order_id) t.order_id, t.stage
    FROM unnest($9::int2[]) AS s (stage)
    CROSS JOIN LATERAL (
        SELECT t.order_id, t.stage FROM task t
        WHERE t.stage = s.stage AND t.parked_at IS NOT NULL AND t.order_id > $7::uuid
          AND EXISTS (SELECT FROM target)
        ORDER BY t.order_id
        LIMIT $6::int4
    ) AS t
    ORDER BY t.order_id, t.stage
    LIMIT $6::int4
), locked AS MATERIALIZED (
    SELECT p.order_id, p.stage, o.version, o.status, o.trace
    FROM parked p
    CROSS JOIN LATERAL (
        SELECT o.version, o.status, o.trace FROM orders o WHERE o.id = p.order_id LIMIT 1
        FOR UPDATE SKIP LOCKED
    ) AS o
), won AS (
    UPDATE task t SET state = 1, parked_at = NULL, pass = x.opened
    FROM locked l, target x
    WHERE t.order_id = l.order_id AND t.stage = l.stage AND t.state = 4
    RETURNING t.order_id, t.stage, l.version + 1 AS version, l.status, l.trace
), moved AS (
    UPDATE orders o SET version = w.version, updated_at = now() FROM won w WHERE o.id = w.order_id
), happened AS (
    INSERT INTO order_event (order_id, version, kind, status, process, detail)
    SELECT order_id, version, 'released', status, $8::text, jsonb_build_object('stage', stage)
    FROM won ORDER BY order_id
), announced AS (
    INSERT INTO outbox (topic, order_ids, traces)
    SELECT stage, array_agg(order_id ORDER BY order_id), array_agg(trace ORDER BY order_id)
    FROM (SELECT stage, order_id, trace,
                 (row_number() OVER (PARTITION BY stage ORDER BY order_id) - 1) / 100 AS part
          FROM won) AS ready
    GROUP BY part, stage
    ORDER BY part, stage
), stepped AS (
    UPDATE breaker b
    SET state = $4::int2, rate = $5::int4,
        version = CASE WHEN b.state <> $4::int2 THEN nextval('breaker_version') ELSE b.version END,
        since = CASE WHEN b.state <> $4::int2 OR b.rate <> $5::int4 THEN now() ELSE b.since END,
        opens = CASE WHEN $4::int2 = 1 THEN 0 ELSE b.opens END,
        released = b.released + (SELECT count(*) FROM won),
        probe = CASE WHEN $4::int2 = 3
                     THEN coalesce((SELECT order_id FROM won LIMIT 1), b.probe) END
    FROM target x, held h
    WHERE b.name = h.name AND b.class = h.class AND h.state <> 1
)
SELECT EXISTS (SELECT FROM lease) AS is_held, EXISTS (SELECT FROM target) AS is_as_seen,
       (SELECT count(*) FROM parked)::int4 AS seen,
       (SELECT order_id FROM parked ORDER BY order_id DESC LIMIT 1) AS reached, w.order_id
FROM (SELECT) AS one LEFT JOIN won w ON true
ORDER BY w.order_id
