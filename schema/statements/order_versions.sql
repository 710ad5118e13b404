-- The versions of all orders that somebody waits for.
--   $1 order ids
SELECT waited.id, o.version
FROM unnest($1::uuid[]) AS waited(id)
CROSS JOIN LATERAL (SELECT version FROM orders WHERE orders.id = waited.id LIMIT 1) o
