-- The worker is alive, and has claimed messages up to here.
--   $1 id   $2 lease in ms   $3 highest outbox id claimed
-- One row back, or none: the row is gone, and so is the lease.
UPDATE worker
SET alive_until = clock_timestamp() + $2::int8 * interval '1 millisecond',
    claimed_upto = greatest(claimed_upto, $3::int8)
WHERE id = $1::uuid
RETURNING id
