-- The orders under an Idempotency-Key: one an account at most.
--   $1 key  $2 account, or NULL for all
SELECT jsonb_build_object('orders', coalesce(jsonb_agg(jsonb_build_object('order', order_id,
                              'account', name)), '[]'))::text
FROM (SELECT k.order_id, a.name
      FROM account a JOIN order_key k ON k.account_id = a.id AND k.key = $1::text
      WHERE k.order_id IS NOT NULL AND ($2::text IS NULL OR a.name = $2::text)
      LIMIT 20) AS found
