-- Whoever looks for orders like these waits for the others who do: of two that look like one another
-- each is then looked at by somebody who sees the other.
--   $1 order ids
-- In one order, so that two batches do not deadlock; nobody who holds these waits for an order that
-- somebody else holds while he waits for these.
SELECT count(pg_advisory_xact_lock(7719, k.key))
FROM (SELECT DISTINCT hashtext(encode(order_print(w.order_id), 'hex')) AS key
      FROM unnest($1::uuid[]) AS w (order_id) ORDER BY 1) AS k
WHERE k.key IS NOT NULL
