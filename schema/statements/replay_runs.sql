-- The runs that go on, as the relay decides about them (queue/replay_rule.h).
--   $1 fence   $2 runs at most
-- One row back without an id if there are none; none at all if the lease is not held.
SELECT r.id, r.version, r.state = 'filling' AS is_filling, r.ids IS NOT NULL AS has_ids, r.rate, r.ramp, r.stop_share,
       r.members, r.released, r.skipped,
       r.succeeded + r.failed_same + r.failed_new + r.withdrawn AS ended,
       r.ramp_at, r.step_released, r.step_succeeded, r.step_failed,
       (extract(epoch FROM greatest(r.paced_at, '1970-01-01 00:00Z')) * 1000000)::int8 AS paced_us,
       (extract(epoch FROM clock_timestamp()) * 1000000)::int8 AS now_us,
       CASE WHEN r.id IS NOT NULL THEN replay_waits_for(r.id, r.cursor) IS NOT NULL END AS is_held_back
FROM relay_lease lease
LEFT JOIN LATERAL (
    SELECT id, version, state, ids, rate, ramp, stop_share, members, released, skipped, succeeded,
           failed_same, failed_new, withdrawn, ramp_at, step_released, step_succeeded, step_failed,
           paced_at, cursor
    FROM replay_run
    WHERE state IN ('filling', 'running')
    ORDER BY id LIMIT $2::int4
) AS r ON true
WHERE lease.fence = $1::int8
