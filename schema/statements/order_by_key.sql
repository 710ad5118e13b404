-- The orders under an Idempotency-Key: one an account at most; the same columns as order_search.
--   $1 key  $2 account, or NULL for all
SELECT jsonb_build_object('orders', coalesce(jsonb_agg(jsonb_build_object(
           'order', id, 'account', account, 'status', status, 'reason', reason, 'final', final,
           'currency', currency, 'total', total, 'accepted_at', accepted_at, 'updated_at', updated_at)),
           '[]'), 'next', NULL)::text
FROM (SELECT o.id, a.name AS account, o.status, o.reason, o.final, o.currency, o.total, o.accepted_at,
             o.updated_at
      FROM account a JOIN order_key k ON k.account_id = a.id AND k.key = $1::text
      CROSS JOIN LATERAL (
          SELECT id, status, reason, final, currency, total, accepted_at, updated_at
          FROM orders WHERE id = k.order_id LIMIT 1
      ) AS o
      WHERE $2::text IS NULL OR a.name = $2::text
      LIMIT 20) AS found
