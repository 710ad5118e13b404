-- What the books say, besides order and task, of the orders whose tasks a worker has just claimed, in the
-- same transaction: their rows are locked, and this statement's snapshot holds all that was committed
-- before they were.
--   $1 order ids   $2 stage   $3, $4 least and greatest order id: only their months' partitions are opened
-- One row back for each id.  LATERAL with a limit: one probe a row, whatever a plan believes.  (An EXISTS
-- among the columns would be answered from a hash of the whole table.)
-- of one month: also on the own tables of the month that all of the batch is of (schema/month.h).
SELECT w.order_id,
       coalesce(p.number, 0::int2) AS attempt_number,
       coalesce(p.state, 0::int2) AS attempt_state,
       coalesce(p.intent_id, '') AS intent_id,
       coalesce(p.confirms, 0::int2) AS confirms,
       p.sent_at,
       p.opened_at,
       r.held,
       s.is_shipped IS NOT NULL AS is_shipped,
       l.skus, l.quantities,
       coalesce(a.name, '') AS name, coalesce(a.address::text, '{}') AS address,
       d.has_letter IS NOT NULL AS has_letter,
       coalesce(p.method, '') AS method,
       coalesce(p.fenced, false) AS is_fenced,
       p.unknown_since,
       p.ended_at,
       coalesce(p.resolution, 0::int2) AS resolution,
       coalesce(u.duplicate, 0::int2) AS duplicate,
       coalesce(a.email, '') AS email,
       coalesce(p.given_up, false) AS is_given_up,
       clock_timestamp() AS asked_at
FROM unnest($1::uuid[]) AS w (order_id)
LEFT JOIN LATERAL (
    SELECT p.number, p.state, p.method, p.intent_id, p.confirms, p.sent_at, p.opened_at, p.fenced,
           p.unknown_since, p.ended_at, p.resolution, p.given_up
    FROM payment_attempt p
    WHERE p.order_id = w.order_id AND p.order_id BETWEEN $3::uuid AND $4::uuid
    ORDER BY p.number DESC LIMIT 1
) p ON true
CROSS JOIN LATERAL (
    SELECT coalesce(sum(r.quantity)::int8, 0) AS held FROM reservation r
    WHERE r.order_id = w.order_id AND r.order_id BETWEEN $3::uuid AND $4::uuid AND r.state = 1
) r
CROSS JOIN LATERAL (
    SELECT array_agg(l.sku) AS skus, array_agg(l.quantity) AS quantities
    FROM (SELECT l.sku, l.quantity FROM order_line l
          WHERE l.order_id = w.order_id AND l.order_id BETWEEN $3::uuid AND $4::uuid
          ORDER BY l.position) AS l
) l
LEFT JOIN LATERAL (
    SELECT true AS is_shipped FROM shipment s
    WHERE s.order_id = w.order_id AND s.order_id BETWEEN $3::uuid AND $4::uuid AND $2::int2 <> 1
    LIMIT 1
) s ON true
LEFT JOIN LATERAL (
    SELECT CASE WHEN $2::int2 <> 1 THEN a.name END AS name,
           CASE WHEN $2::int2 <> 1 THEN a.address END AS address,
           CASE WHEN $2::int2 = 1 THEN lower(btrim(a.email)) END AS email
    FROM order_contact a
    WHERE a.order_id = w.order_id AND a.order_id BETWEEN $3::uuid AND $4::uuid
    LIMIT 1
) a ON true
LEFT JOIN LATERAL (
    SELECT true AS has_letter FROM dead_letter d
    WHERE d.order_id = w.order_id AND d.stage = $2::int2 AND d.state IN ('open', 'replaying')
    LIMIT 1
) d ON true
LEFT JOIN LATERAL (
    SELECT CASE WHEN u.released_at IS NULL THEN 1 ELSE 2 END::int2 AS duplicate
    FROM duplicate u WHERE u.order_id = w.order_id AND $2::int2 = 1 LIMIT 1
) u ON true
