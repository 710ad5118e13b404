-- Whoever looks for orders like these waits for the others who do: of two that look like one another
-- each is then looked at by somebody who sees the other.
--   $1 prints
-- In one order, so that two batches do not deadlock; nobody who holds these waits for an order.
SELECT count(pg_advisory_xact_lock(7719, k.key))
FROM (SELECT DISTINCT hashtext(encode(w.print, 'hex')) AS key
      FROM unnest($1::bytea[]) AS w (print) ORDER BY 1) AS k
