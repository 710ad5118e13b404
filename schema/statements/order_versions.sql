-- The versions of all orders that somebody waits for.
--   $1 order ids
SELECT o.id, o.version FROM unnest($1::uuid[]) AS waited(id) JOIN orders o ON o.id = waited.id
