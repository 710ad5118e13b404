-- An order whose customer wants to pay again: its newest attempt, and the one that this key opened.
--   $1 order id   $2 key
SELECT o.account_id, o.token_key, o.version, o.status,
       coalesce(p.number, 0::int2) AS number, coalesce(p.state, 0::int2) AS state,
       coalesce(p.fenced, false) AS is_fenced, coalesce(p.given_up, false) AS is_given_up,
       k.number AS opened, k.method
FROM orders o
LEFT JOIN LATERAL (
    SELECT number, state, fenced, given_up FROM payment_attempt
    WHERE order_id = o.id ORDER BY number DESC LIMIT 1
) p ON true
LEFT JOIN LATERAL (
    SELECT number, method FROM payment_attempt
    WHERE order_id = o.id AND request_key = $2::text AND request_key <> '' LIMIT 1
) k ON true
WHERE o.id = $1::uuid
