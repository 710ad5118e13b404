-- The whole state of the orders whose tasks a worker has just claimed, in the same transaction: their
-- rows are locked, and this statement's snapshot holds all that was committed before they were.
--   $1 order ids   $2 stage   $3 worker
SELECT o.id, o.version, o.status, t.fence, t.attempt, t.crashes,
       o.total, o.currency, o.payment_method, o.shipping_method, o.trace,
       coalesce(p.number, 0::int2) AS attempt_number,
       coalesce(p.state, 0::int2) AS attempt_state,
       coalesce(p.intent_id, '') AS intent_id,
       coalesce(p.confirms, 0::int2) AS confirms,
       coalesce((extract(epoch FROM clock_timestamp() - p.sent_at) * 1000)::int8, -1) AS since_sent,
       coalesce((extract(epoch FROM clock_timestamp() - p.opened_at) * 1000)::int8, -1)
           AS since_opened,
       coalesce((SELECT sum(r.quantity)::int8 FROM reservation r
                 WHERE r.order_id = w.order_id AND r.state = 1), 0) AS held,
       EXISTS (SELECT FROM shipment s WHERE s.order_id = w.order_id) AS is_shipped,
       l.skus, l.quantities,
       coalesce(a.name, '') AS name, coalesce(a.address::text, '{}') AS address,
       t.pass, t.fault_kind = 'unknown' AS is_unknown, t.doubted,
       o.undo,
       coalesce((extract(epoch FROM clock_timestamp() - o.undo_at) * 1000)::int8, -1) AS since_undo,
       coalesce(p.captured, 0::int8) AS captured,
       coalesce(g.refunded, 0)::int8 AS refunded, coalesce(g.refunds, 0::int2) AS refunds,
       coalesce(g.refunds_open, 0)::int2 AS refunds_open, coalesce(r.number, 0::int2) AS refund_number,
       coalesce(r.state, 0::int2) AS refund_state, coalesce(r.amount, 0::int8) AS refund_amount,
       coalesce(r.keys, 0::int2) AS refund_keys,
       coalesce((extract(epoch FROM clock_timestamp() - r.sent_at) * 1000)::int8, -1)
           AS since_refund_sent
FROM unnest($1::uuid[]) AS w (order_id)
CROSS JOIN LATERAL (
    SELECT t.fence, t.attempt, t.crashes, t.pass, t.fault_kind, t.doubted FROM task t
    WHERE t.order_id = w.order_id AND t.stage = $2::int2 AND t.state = 2
      AND t.worker_id = $3::uuid LIMIT 1
) AS t
CROSS JOIN LATERAL (
    SELECT o.id, o.version, o.status, o.total, o.currency, o.payment_method, o.shipping_method,
           o.trace, o.undo, o.undo_at
    FROM orders o WHERE o.id = w.order_id LIMIT 1
) AS o
LEFT JOIN LATERAL (
    SELECT p.number, p.state, p.intent_id, p.confirms, p.sent_at, p.opened_at, p.captured
    FROM payment_attempt p WHERE p.order_id = w.order_id ORDER BY p.number DESC LIMIT 1
) p ON true
LEFT JOIN LATERAL (
    SELECT array_agg(l.sku ORDER BY l.position) AS skus,
           array_agg(l.quantity ORDER BY l.position) AS quantities
    FROM order_line l WHERE l.order_id = w.order_id
) l ON true
LEFT JOIN LATERAL (
    SELECT max(r.number) AS refunds, count(*) FILTER (WHERE r.state < 5) AS refunds_open,
           sum(r.amount) FILTER (WHERE r.state = 5) AS refunded
    FROM refund r WHERE r.order_id = w.order_id AND $2::int2 = 4
) g ON true
LEFT JOIN LATERAL (
    SELECT r.number, r.state, r.amount, r.keys, r.sent_at
    FROM refund r WHERE r.order_id = w.order_id AND r.state < 5 AND $2::int2 = 4
    ORDER BY r.number LIMIT 1
) r ON true
LEFT JOIN order_contact a ON a.order_id = w.order_id AND $2::int2 <> 1
