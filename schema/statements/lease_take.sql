-- Takes the relay's lease, or renews it.
--   $1 holder   $2 how long, in ms
-- One row back if it is ours now: the fence and the database's clock, in µs.
UPDATE relay_lease
SET holder = $1::uuid, fence = fence + (holder IS DISTINCT FROM $1::uuid)::int4,
    until = clock_timestamp() + $2::int8 * interval '1 millisecond'
WHERE holder = $1::uuid OR until < clock_timestamp()
RETURNING fence, (extract(epoch FROM clock_timestamp()) * 1000000)::int8 AS now_us
