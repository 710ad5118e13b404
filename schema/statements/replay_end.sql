-- A run has come to its end, or stops by itself.
--   $1 fence   $2 run   $3 its version   $4 done or stopped   $5 why
-- One row back: is the lease held, is the run still as it was.
WITH ended AS (
    UPDATE replay_run r
    SET version = r.version + 1, state = $4::text, note = $5::text, ended_at = clock_timestamp()
    FROM relay_lease lease
    WHERE lease.fence = $1::int8 AND r.id = $2::int8 AND r.version = $3::int4 AND r.state = 'running'
    RETURNING r.id
)
SELECT EXISTS (SELECT FROM relay_lease WHERE fence = $1::int8) AS is_held,
       EXISTS (SELECT FROM ended) AS is_current
