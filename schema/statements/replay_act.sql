-- An operator's act on a run: pause, resume (after a stop the ramp begins anew), cancel, or its rate.
--   $1 who   $2 why   $3 run   $4 act   $5 the new rate
-- One row back if there is such a run: was it done, the state before, the run.
WITH before AS MATERIALIZED (
    SELECT id, state FROM replay_run WHERE id = $3::int8 FOR UPDATE
), moved AS (
    UPDATE replay_run r
    SET version = r.version + 1,
        state = CASE $4::text WHEN 'pause' THEN 'paused' WHEN 'cancel' THEN 'canceled'
                    WHEN 'resume' THEN CASE WHEN r.started_at IS NULL THEN 'filling' ELSE 'running' END
                    ELSE r.state END,
        rate = CASE $4::text WHEN 'rate' THEN $5::int4 ELSE r.rate END,
        note = '',
        ended_at = CASE WHEN $4::text = 'cancel' THEN clock_timestamp()
                        WHEN $4::text = 'resume' THEN NULL ELSE r.ended_at END,
        step = r.step + (b.state = 'stopped' AND $4::text = 'resume')::int4,
        ramp_at = CASE WHEN b.state = 'stopped' THEN 0 ELSE r.ramp_at END,
        step_released = CASE WHEN b.state = 'stopped' THEN 0 ELSE r.step_released END,
        step_succeeded = CASE WHEN b.state = 'stopped' THEN 0 ELSE r.step_succeeded END,
        step_failed = CASE WHEN b.state = 'stopped' THEN 0 ELSE r.step_failed END
    FROM before b
    WHERE r.id = b.id AND CASE $4::text
        WHEN 'pause' THEN b.state IN ('filling', 'running')
        WHEN 'resume' THEN b.state IN ('paused', 'stopped')
        WHEN 'cancel' THEN b.state IN ('filling', 'running', 'paused', 'stopped')
        ELSE b.state IN ('filling', 'running', 'paused') END
    RETURNING r.id, r.state, r.rate
)
SELECT m.id IS NOT NULL, b.state,
       CASE WHEN m.id IS NOT NULL THEN jsonb_build_object('id', m.id, 'state', m.state, 'rate', m.rate,
           'audit', audit_append($1::text, 'dead replay ' || $4::text, 'replay_run ' || m.id, $2::text,
                                 jsonb_build_object('before', b.state, 'rate', m.rate)))::text END
FROM before b LEFT JOIN moved m ON m.id = b.id
