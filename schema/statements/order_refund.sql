-- Asks for money to be given back (order_refund() in migration 0015).
--   $1 who   $2 why   $3 order   $4 how much of it, in minor units; NULL: all that is left
SELECT r.outcome, r.rest, coalesce(r.currency, ''),
       jsonb_build_object('order', $3::uuid, 'refund', r.number, 'version', r.version, 'amount', r.amount,
                          'currency', r.currency, 'rest', r.rest - r.amount, 'audit', r.audit)::text
FROM order_refund($3::uuid, $1::text, $2::text, $4::int8) AS r
