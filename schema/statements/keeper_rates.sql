-- Notes the counts that rates are made of, and the outbox's floor.
--   $1 fence   $2 floor: there are no rows below it; 0: it is not known now, and the last one holds
INSERT INTO rate_sample (slot, at, outbox_floor, accepted, payments, shipped, dead)
SELECT (extract(epoch FROM clock_timestamp())::int8 / 10 % 12)::int2, clock_timestamp(),
       CASE WHEN $2::int8 > 0 THEN $2::int8
            ELSE coalesce((SELECT outbox_floor FROM rate_sample ORDER BY at DESC LIMIT 1), 0) END,
       c.accepted, c.payments, c.shipped, c.dead
FROM relay_lease l CROSS JOIN rate_counts() AS c
WHERE l.fence = $1::int8
ON CONFLICT (slot) DO UPDATE
SET at = excluded.at, outbox_floor = excluded.outbox_floor, accepted = excluded.accepted,
    payments = excluded.payments, shipped = excluded.shipped, dead = excluded.dead
