-- What was captured of claimed orders, and given back of it; for the stage that gives back.
--   $1 order ids
SELECT w.order_id, coalesce(p.captured, 0::int8) AS captured,
       coalesce(g.refunded, 0)::int8 AS refunded, coalesce(g.refunds, 0::int2) AS refunds,
       g.refunds_open::int2 AS refunds_open, coalesce(r.number, 0::int2) AS refund_number,
       coalesce(r.state, 0::int2) AS refund_state, coalesce(r.amount, 0::int8) AS refund_amount,
       coalesce(r.keys, 0::int2) AS refund_keys,
       coalesce((extract(epoch FROM clock_timestamp() - r.sent_at) * 1000)::int8, -1)
           AS since_refund_sent,
       c.is_over IS NULL AS is_cancel_open
FROM unnest($1::uuid[]) AS w (order_id)
LEFT JOIN LATERAL (
    SELECT p.captured FROM payment_attempt p
    WHERE p.order_id = w.order_id AND p.captured > 0 ORDER BY p.number DESC LIMIT 1
) p ON true
CROSS JOIN LATERAL (
    SELECT max(r.number) AS refunds, count(*) FILTER (WHERE r.state < 5) AS refunds_open,
           sum(r.amount) FILTER (WHERE r.state = 5) AS refunded
    FROM refund r WHERE r.order_id = w.order_id
) g
LEFT JOIN LATERAL (
    SELECT r.number, r.state, r.amount, r.keys, r.sent_at
    FROM refund r WHERE r.order_id = w.order_id AND r.state < 5 ORDER BY r.number LIMIT 1
) r ON true
LEFT JOIN LATERAL (
    SELECT true AS is_over FROM task t WHERE t.order_id = w.order_id AND t.stage = 3 AND t.state = 5
    LIMIT 1
) c ON true
