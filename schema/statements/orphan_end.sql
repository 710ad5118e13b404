-- A sweep has come to its end.
--   $1 fence   $2 again in s
-- One row back: was it still ours.
WITH sweep AS (
    UPDATE orphan_sweep s
    SET due_at = now() + $2::int8 * interval '1 second', until = '-infinity', ended_at = now()
    WHERE s.fence = $1::int8
    RETURNING s.fence
), gone AS (
    DELETE FROM orphan_seen WHERE fence <= $1::int8
)
SELECT EXISTS (SELECT FROM sweep) AS is_held
