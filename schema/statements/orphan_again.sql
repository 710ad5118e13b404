-- Differences that stand and that the sweep has not come upon: they are looked at one by one.
--   $1 fence   $2 provider   $3 at most
-- Rows back: is the sweep still ours, NULL, an intent and the order it is about (or neither).
WITH sweep AS (
    UPDATE orphan_sweep s SET until = now() + interval '60 seconds' WHERE s.fence = $1::int8
    RETURNING s.fence
)
SELECT EXISTS (SELECT FROM sweep) AS is_held, NULL::uuid AS upto, o.intent_id, o.order_id
FROM (SELECT) AS one
LEFT JOIN (
    SELECT o.intent_id, o.order_id FROM orphan o
    WHERE o.resolved_at IS NULL AND o.provider = $2::text
      AND NOT EXISTS (SELECT FROM orphan_seen s
                      WHERE s.fence = $1::int8 AND s.intent_id = o.intent_id)
    ORDER BY o.id LIMIT $3::int4
) AS o ON true
