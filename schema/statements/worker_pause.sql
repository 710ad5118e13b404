-- A worker that starts paused pauses the queue of its stage as an operator would, and has the books
-- compared at once.  One that is paused already stays as it is.
--   $1 process   $2 stage   $3 its name
WITH new AS MATERIALIZED (
    SELECT nextval('breaker_version') AS version
), due AS (
    UPDATE orphan_sweep SET due_at = now(), until = '-infinity'
)
INSERT INTO breaker (name, class, stage, is_queue, state, held, version, opened, opened_total, who,
                     why)
SELECT $3::text, 'operator', $2::int2, true, 2, true, version, version, 1, $1::text,
       'started paused (DOCKET_START_PAUSED)'
FROM new
ON CONFLICT (name, class) DO UPDATE
SET state = 2, held = true, version = excluded.version, opened = excluded.version,
    opened_total = breaker.opened_total + 1, since = now(), opens = 0, rate = 0, released = 0,
    goods = 0, probe = NULL, who = excluded.who, why = excluded.why
WHERE NOT breaker.held
