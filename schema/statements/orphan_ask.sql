-- Attempts of ours whose intent the sweep has not seen at the provider, of a piece of the window.
--   $1 fence   $2 provider   $3 to (seconds since 1970)   $4 after this order   $5 attempts at most
-- Rows back: is the sweep still ours, the last order of the piece (NULL: there is none left), an
-- intent and its order (or neither).
-- An attempt that waited for the provider may be older than $3 and its intent younger, so that the list does not have it:
-- its confirm, which was sent after that was made, is then younger, too.  The next sweep sees both.
WITH sweep AS (
    UPDATE orphan_sweep s SET until = now() + interval '60 seconds' WHERE s.fence = $1::int8
    RETURNING s.fence
), piece AS MATERIALIZED (
    SELECT a.order_id, a.intent_id, a.provider, coalesce(a.sent_at, a.opened_at) AS made_by
    FROM payment_attempt a
    WHERE a.order_id > $4::uuid AND a.order_id < month_floor(to_timestamp($3::int8))
    ORDER BY a.order_id
    LIMIT $5::int4
)
SELECT EXISTS (SELECT FROM sweep) AS is_held,
       (SELECT p.order_id FROM piece p ORDER BY p.order_id DESC LIMIT 1) AS upto,
       m.intent_id, m.order_id
FROM (SELECT) AS one
LEFT JOIN (
    SELECT p.intent_id, p.order_id FROM piece p
    WHERE p.intent_id <> '' AND p.provider = $2::text AND p.made_by <= to_timestamp($3::int8)
      AND NOT EXISTS (SELECT FROM orphan_seen s
                      WHERE s.fence = $1::int8 AND s.intent_id = p.intent_id)
) AS m ON true
