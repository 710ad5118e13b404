-- A page of all orders for operators, newest first.  What it costs is bounded by $13, however rare the
-- fitting ones are: a page may be short, even empty, and still go on from `next`.  Ids are ordered by
-- time, so no index but the primary key is needed; a cart's order is found by its key.
--   $1 ids below this  $2 ids from this  $3 statuses or NULL  $4 reason or NULL  $5 account or NULL
--   $6 sku or NULL  $7 currency or NULL  $8 total from  $9 total to  $10 e-mail or NULL
--   $11 cart or NULL  $12 most rows  $13 most orders looked at  $14 final or NULL
-- Lines and contacts are not probed order by order: the ids that fit are read once, along the range of
-- ids that can be looked at.
WITH far AS MATERIALIZED (  -- where the look ends at the latest
    SELECT coalesce((SELECT o.id FROM orders o
                     WHERE o.id < $1::uuid AND o.id >= $2::uuid AND $11::text IS NULL
                     ORDER BY o.id DESC OFFSET $13::int8 - 1 LIMIT 1), $2::uuid) AS id
    WHERE $6::text IS NOT NULL OR $10::text IS NOT NULL
), with_sku AS MATERIALIZED (
    SELECT l.order_id FROM order_line l
    WHERE $11::text IS NULL AND l.sku = $6::text
      AND l.order_id >= (SELECT id FROM far) AND l.order_id < $1::uuid
), of_email AS MATERIALIZED (
    SELECT orders_of AS order_id FROM orders_of($10::text, (SELECT id FROM far), $1::uuid)
    WHERE $11::text IS NULL AND $10::text IS NOT NULL
), look AS MATERIALIZED (
    SELECT one.id, one.account_id, one.status, one.reason, one.final, one.currency, one.total,
           one.accepted_at, one.updated_at, one.fits, one.nth
    FROM (
        SELECT seen.id, seen.account_id, seen.status, seen.reason, seen.final, seen.currency,
               seen.total, seen.accepted_at, seen.updated_at, row_number() OVER () AS nth,
               ($3::int2[] IS NULL OR seen.status = ANY ($3::int2[]))
               AND ($4::text IS NULL OR seen.reason = $4::text)
               AND ($14::bool IS NULL OR seen.final = $14::bool)
               AND ($5::text IS NULL OR seen.account_id = (SELECT id FROM account WHERE name = $5::text))
               AND ($7::text IS NULL OR (seen.currency = $7::text
                                         AND seen.total BETWEEN $8::int8 AND $9::int8))
               AND CASE WHEN $6::text IS NULL THEN true
                        WHEN $11::text IS NULL THEN seen.id IN (SELECT order_id FROM with_sku)
                        ELSE coalesce((SELECT true FROM order_line line WHERE line.order_id = seen.id
                                         AND line.sku = $6::text LIMIT 1), false) END
               AND CASE WHEN $10::text IS NULL THEN true
                        WHEN $11::text IS NULL THEN seen.id IN (SELECT order_id FROM of_email)
                        ELSE order_is_of(seen.id, $10::text) END AS fits
        FROM (
            (SELECT o.id, o.account_id, o.status, o.reason, o.final, o.currency, o.total,
                    o.accepted_at, o.updated_at
             FROM orders o
             WHERE $11::text IS NULL AND o.id < $1::uuid AND o.id >= $2::uuid
             ORDER BY o.id DESC LIMIT $13::int8)
            UNION ALL
            SELECT o.id, o.account_id, o.status, o.reason, o.final, o.currency, o.total,
                   o.accepted_at, o.updated_at
            FROM account a
            JOIN order_key k ON k.account_id = a.id AND k.cart = $11::text
            CROSS JOIN LATERAL (
                SELECT id, account_id, status, reason, final, currency, total, accepted_at, updated_at
                FROM orders WHERE id = k.order_id AND id < $1::uuid AND id >= $2::uuid LIMIT 1
            ) AS o
            WHERE $11::text IS NOT NULL
        ) AS seen
    ) AS one
    WHERE one.fits OR one.nth = $13::int8
    LIMIT $12::int8
)
SELECT jsonb_build_object(
    'orders', coalesce(jsonb_agg(jsonb_build_object(
        'order', id, 'account', (SELECT name FROM account a WHERE a.id = look.account_id),
        'status', status, 'reason', reason, 'final', final, 'currency', currency, 'total', total,
        'accepted_at', accepted_at, 'updated_at', updated_at)
        ORDER BY id DESC) FILTER (WHERE fits), '[]'),
    'next', CASE WHEN $11::text IS NULL AND (count(*) = $12::int8 OR max(nth) = $13::int8)
                 THEN min(id::text) END)::text
FROM look
