-- Replay runs, the newest first.
--   $1 only this one, or NULL   $2 how many at most
SELECT jsonb_build_object('runs', coalesce(jsonb_agg(jsonb_build_object(
           'id', id, 'state', state, 'filter', filter, 'ids', cardinality(ids), 'actor', actor,
           'reason', reason, 'rate', rate, 'ramp', ramp, 'stop_at', stop_share, 'members', members,
           'released', released, 'skipped', skipped, 'succeeded', succeeded,
           'failed_same', failed_same, 'failed_new', failed_new, 'withdrawn', withdrawn,
           'skips', skips, 'fails', fails, 'step', step, 'step_released', step_released,
           'step_failed', step_failed, 'note', note, 'made_at', made_at, 'started_at', started_at,
           'ended_at', ended_at) ORDER BY id DESC), '[]'))::text, count(*)::int4
FROM (SELECT id, state, filter, ids, actor, reason, rate, ramp, stop_share, members, released, skipped,
             succeeded, failed_same, failed_new, withdrawn, skips, fails, step, step_released,
             step_failed, note, made_at, started_at, ended_at
      FROM replay_run WHERE $1::int8 IS NULL OR id = $1::int8
      ORDER BY id DESC LIMIT $2::int4) AS run
