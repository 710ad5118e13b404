-- Cancels an order, at whatever moment of its life (order_cancel() in migration 0015).
--   $1 who   $2 why   $3 order   $4 the statuses from which it can be canceled   $5 an operator asks
SELECT c.outcome, c.status, c.version,
       jsonb_build_object('order', $3::uuid, 'status', c.status, 'version', c.version,
                          'audit', c.audit)::text
FROM order_cancel($3::uuid, $1::text, $2::text, $4::int2[], $5::bool) AS c
