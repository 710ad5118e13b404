-- A worker begins: its row, and the lock that its session holds for as long as it lives.
--   $1 id   $2 process   $3 stage   $4 lease in ms
WITH held AS MATERIALIZED (
    SELECT pg_advisory_lock(worker_lock($1::uuid)) AS lock
)
INSERT INTO worker (id, process, stage, alive_until)
SELECT $1::uuid, $2::text, $3::int2, clock_timestamp() + $4::int8 * interval '1 millisecond'
FROM held
