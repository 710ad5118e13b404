-- Notes the counts that rates are made of, and the outbox's floor.
--   $1 fence   $2 floor: there are no rows below it
INSERT INTO rate_sample (slot, at, outbox_floor, accepted, payments, shipped, dead)
SELECT (extract(epoch FROM clock_timestamp())::int8 / 10 % 12)::int2, clock_timestamp(), $2::int8,
       c.accepted, c.payments, c.shipped, c.dead
FROM relay_lease l CROSS JOIN rate_counts() AS c
WHERE l.fence = $1::int8
ON CONFLICT (slot) DO UPDATE
SET at = excluded.at, outbox_floor = excluded.outbox_floor, accepted = excluded.accepted,
    payments = excluded.payments, shipped = excluded.shipped, dead = excluded.dead
