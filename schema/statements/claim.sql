-- Claims tasks of one stage for a worker, or reads again those it holds.
--   $1 order ids   $2 stage   $3 worker   $4 event   $5 process
-- One row back for each task that is now the worker's, with the whole state of its order.  No row:
-- there is nothing to do (done, waiting, or somebody alive has it).
-- A task whose holder is gone is taken over, and counts a crash.  One that this worker holds is its
-- again: perhaps it never learnt that its claim was committed.  A worker asks for an order once at a
-- time, and whatever it had still to write has lost its version.
WITH wanted AS MATERIALIZED (
    SELECT o.id, o.version, CASE WHEN o.status = 1 THEN 2::int2 ELSE o.status END AS status
    FROM (SELECT w.order_id FROM unnest($1::uuid[]) AS w (order_id) ORDER BY w.order_id) AS w
    CROSS JOIN LATERAL (
        SELECT o.id, o.version, o.status FROM orders o WHERE o.id = w.order_id LIMIT 1 FOR UPDATE
    ) AS o
), claimed AS (
    UPDATE task t
    SET state = 2, worker_id = $3::uuid, fence = t.fence + 1, due_at = NULL,
        crashes = t.crashes + (t.state = 2 AND t.worker_id <> $3::uuid)::int4
    FROM wanted w
    WHERE t.order_id = w.id AND t.stage = $2::int2
      AND (t.state = 1
           OR t.state = 2 AND (t.worker_id = $3::uuid OR worker_gone(t.worker_id)))
    RETURNING t.order_id, t.fence, t.attempt, t.crashes, t.pass, t.fault_kind,
              w.version + 1 AS version, w.status
), moved AS (
    UPDATE orders o SET version = c.version, status = c.status, updated_at = now()
    FROM claimed c WHERE o.id = c.order_id
), happened AS (
    INSERT INTO order_event (order_id, version, kind, status, process)
    SELECT order_id, version, $4::text, status, $5::text FROM claimed
)
SELECT c.order_id, c.version, c.status, c.fence, c.attempt, c.crashes,
       o.total, o.currency, o.payment_method, o.shipping_method, o.trace,
       coalesce(p.number, 0::int2) AS attempt_number,
       coalesce(p.state, 0::int2) AS attempt_state,
       coalesce(p.intent_id, '') AS intent_id,
       coalesce(p.confirms, 0::int2) AS confirms,
       coalesce((extract(epoch FROM clock_timestamp() - p.sent_at) * 1000)::int8, -1) AS since_sent,
       coalesce((extract(epoch FROM clock_timestamp() - p.opened_at) * 1000)::int8, -1)
           AS since_opened,
       coalesce((SELECT sum(r.quantity)::int8 FROM reservation r
                 WHERE r.order_id = c.order_id AND r.state = 1), 0) AS held,
       EXISTS (SELECT FROM shipment s WHERE s.order_id = c.order_id) AS is_shipped,
       l.skus, l.quantities,
       coalesce(a.name, '') AS name, coalesce(a.address::text, '{}') AS address,
       c.pass, c.fault_kind = 'unknown' AS is_unknown
FROM claimed c
JOIN orders o ON o.id = c.order_id
LEFT JOIN LATERAL (
    SELECT p.number, p.state, p.intent_id, p.confirms, p.sent_at, p.opened_at
    FROM payment_attempt p WHERE p.order_id = c.order_id ORDER BY p.number DESC LIMIT 1
) p ON true
LEFT JOIN LATERAL (
    SELECT array_agg(l.sku ORDER BY l.position) AS skus,
           array_agg(l.quantity ORDER BY l.position) AS quantities
    FROM order_line l WHERE l.order_id = c.order_id
) l ON true
LEFT JOIN order_contact a ON a.order_id = c.order_id AND $2::int2 <> 1
