-- Locks the orders of a reservation batch, in the order that everybody locks them in.
--   $1 order ids   $2 expected versions
-- One row back for each that is as expected: its position from 1.
SELECT w.n::int4
FROM unnest($1::uuid[], $2::int4[]) WITH ORDINALITY AS w (order_id, version, n)
JOIN orders o ON o.id = w.order_id AND o.version = w.version
ORDER BY o.id
FOR UPDATE OF o
