-- Orders as their owners see them: nothing here changes without the version.
--   $1 order ids  $2, $3 least and greatest of them: only their months' partitions are opened
-- of one month: also on the own tables of the month that all of the batch is of (schema/month.h).
SELECT batch.position::int4, o.account_id, o.version, o.status, o.final, o.reason, o.currency,
       o.items_total, o.shipping_total, o.total, o.shipping_method, o.token_key,
       (extract(epoch FROM o.accepted_at) * 1000000)::int8,
       (extract(epoch FROM o.updated_at) * 1000000)::int8,
       lines.skus, lines.names, lines.quantities, lines.prices,
       sent.tracking, paying.number, paying.state, paying.decline_reason, paying.retry_same_card,
       paying.try_another_card, paying.next_action, paying.fenced, back.refunded
FROM unnest($1::uuid[]) WITH ORDINALITY AS batch(id, position)
CROSS JOIN LATERAL (
    SELECT id, account_id, version, status, final, reason, currency, items_total, shipping_total,
           total, shipping_method, token_key, accepted_at, updated_at
    FROM orders o
    WHERE o.id = batch.id AND o.id BETWEEN $2::uuid AND $3::uuid LIMIT 1
) o
CROSS JOIN LATERAL (
    SELECT array_agg(sku ORDER BY l.position) AS skus, array_agg(name ORDER BY l.position) AS names,
           array_agg(quantity ORDER BY l.position) AS quantities,
           array_agg(price ORDER BY l.position) AS prices
    FROM order_line l WHERE l.order_id = o.id AND l.order_id BETWEEN $2::uuid AND $3::uuid
) lines
LEFT JOIN LATERAL (
    SELECT s.tracking FROM shipment s
    WHERE s.order_id = o.id AND s.order_id BETWEEN $2::uuid AND $3::uuid LIMIT 1
) sent ON true
LEFT JOIN LATERAL (
    SELECT p.number, p.state, p.decline_reason, p.retry_same_card, p.try_another_card,
           p.next_action, p.fenced
    FROM payment_attempt p WHERE p.order_id = o.id ORDER BY p.number DESC LIMIT 1
) paying ON true
CROSS JOIN LATERAL (
    SELECT coalesce(sum(r.amount), 0)::int8 AS refunded FROM refund r
    WHERE r.order_id = o.id AND r.state = 5
) back
