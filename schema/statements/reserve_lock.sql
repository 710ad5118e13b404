-- Locks the orders of a reservation batch, in the order that everybody locks them in.
--   $1 order ids   $2 expected versions
-- One row back for each that is as expected: its position from 1.
-- of one month: also on the own tables of the month that all of the batch is of (schema/month.h).
SELECT w.n::int4
FROM (SELECT w.order_id, w.version, w.n
      FROM unnest($1::uuid[], $2::int4[]) WITH ORDINALITY AS w (order_id, version, n)
      ORDER BY w.order_id) AS w
CROSS JOIN LATERAL (
    SELECT o.version FROM orders o WHERE o.id = w.order_id LIMIT 1 FOR UPDATE
) AS o
WHERE o.version = w.version
