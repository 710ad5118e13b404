-- Replay runs, the newest first.  waits_for: what holds back the step of the next member.
--   $1 only this one, or NULL   $2 how many at most
SELECT jsonb_build_object('runs', coalesce(jsonb_agg(jsonb_build_object(
           'id', id, 'state', state, 'filter', filter, 'ids', cardinality(ids), 'actor', actor,
           'reason', reason, 'rate', rate, 'ramp', ramp, 'stop_at', stop_share, 'members', members,
           'released', released, 'skipped', skipped, 'succeeded', succeeded,
           'failed_same', failed_same, 'failed_new', failed_new, 'withdrawn', withdrawn,
           'skips', skips, 'fails', fails, 'step', step, 'ramp_at', ramp_at,
           'step_released', step_released, 'step_succeeded', step_succeeded,
           'step_failed', step_failed, 'note', note, 'made_at', made_at, 'started_at', started_at,
           'ended_at', ended_at, 'outcome_ms', outcome_ms, 'waits_for', waits_for)
           ORDER BY id DESC), '[]'))::text, count(*)::int4
FROM (SELECT r.id, r.state, r.filter, r.ids, r.actor, r.reason, r.rate, r.ramp, r.stop_share,
             r.members, r.released, r.skipped, r.succeeded, r.failed_same, r.failed_new, r.withdrawn,
             r.skips, r.fails, r.step, r.ramp_at, r.step_released, r.step_succeeded, r.step_failed,
             r.note, r.made_at, r.started_at, r.ended_at,
             CASE WHEN r.state IN ('running', 'paused', 'stopped')
                  THEN replay_outcome_ms(r.id) END AS outcome_ms,
             CASE WHEN r.state = 'running' THEN replay_waits_for(r.id, r.cursor) END AS waits_for
      FROM replay_run r
      WHERE $1::int8 IS NULL OR r.id = $1::int8
      ORDER BY r.id DESC LIMIT $2::int4) AS run
