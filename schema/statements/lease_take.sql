-- Takes the relay's lease, or renews it.
--   $1 holder   $2 how long, in ms   $3 take the lock of the holder's id, too: this session has not yet
-- One row back: whether the session has that lock now (if it was asked for), and, if the lease is ours
-- now, the fence and the database's clock in µs.
-- A holder whose session has ended (killed, link lost) has lost its lock, and is not waited out; one that
-- is frozen keeps it, and is.
WITH mine AS MATERIALIZED (
    SELECT $3::bool AND pg_try_advisory_lock(hashtextextended($1::uuid::text, 8)) AS is_locked
), taken AS (
    UPDATE relay_lease
    SET holder = $1::uuid, fence = fence + (holder IS DISTINCT FROM $1::uuid)::int4,
        until = clock_timestamp() + $2::int8 * interval '1 millisecond'
    WHERE CASE WHEN holder = $1::uuid OR until < clock_timestamp() THEN true
               ELSE pg_try_advisory_xact_lock_shared(hashtextextended(holder::text, 8)) END
    RETURNING fence, (extract(epoch FROM clock_timestamp()) * 1000000)::int8 AS now_us
)
SELECT mine.is_locked, taken.fence, taken.now_us FROM mine LEFT JOIN taken ON true
