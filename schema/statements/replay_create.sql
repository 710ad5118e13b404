-- Makes a replay run; the relay freezes its members and executes it.
--   $1 who   $2 why   $3 filter as typed, or NULL   $4 what it means, or NULL   $5 ids, or NULL   $6 rate
--   $7 ramp   $8 stop share   $9 open runs at most
-- One row back; none if too many runs are open.
WITH made AS (
    INSERT INTO replay_run (actor, reason, filter, wanted, ids, rate, ramp, stop_share)
    SELECT $1::text, $2::text, $3::text, $4::text::jsonb, $5::int8[], $6::int4, $7::int4[], $8::int4
    WHERE (SELECT count(*) FROM replay_run WHERE state IN ('filling', 'running', 'paused')) < $9::int4
    RETURNING id, state, filter, ids, rate, ramp, stop_share
)
SELECT jsonb_build_object('id', id, 'state', state, 'rate', rate, 'ramp', ramp, 'stop_at', stop_share,
           'audit', audit_append($1::text, 'dead replay run', 'replay_run ' || id, $2::text,
                                 jsonb_build_object('filter', filter, 'ids', cardinality(ids),
                                                    'rate', rate, 'ramp', ramp,
                                                    'stop_at', stop_share)))::text
FROM made
