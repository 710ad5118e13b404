-- A sweep has come to its end.
--   $1 fence   $2 again in s, or at once if its stage was paused meanwhile
--   $3 stage
-- One row back: was it still ours.
WITH sweep AS (
    UPDATE orphan_sweep s
    SET due_at = CASE WHEN NOT s.while_paused AND EXISTS (
                          SELECT FROM breaker b WHERE b.stage = $3::int2 AND b.is_queue AND b.held)
                      THEN now() ELSE now() + $2::int8 * interval '1 second' END,
        until = '-infinity', ended_at = now()
    WHERE s.fence = $1::int8
    RETURNING s.fence
), gone AS (
    DELETE FROM orphan_seen WHERE fence <= $1::int8
)
SELECT EXISTS (SELECT FROM sweep) AS is_held
