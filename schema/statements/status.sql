-- How everything stands, in one row.  What may be many is counted up to a bound.
--   $1 count up to here
SELECT jsonb_build_object(
    'at', clock_timestamp(),
    'count_max', $1::int8,
    'rates', (SELECT jsonb_build_object(
                  'since', b.at,
                  'accepted', per_minute(c.accepted - b.accepted, b.at),
                  'payments', per_minute(c.payments - b.payments, b.at),
                  'shipped', per_minute(c.shipped - b.shipped, b.at),
                  'dead', per_minute(c.dead - b.dead, b.at))
        FROM rate_counts() AS c CROSS JOIN LATERAL (
            SELECT at, accepted, payments, shipped, dead FROM rate_sample
            WHERE at BETWEEN clock_timestamp() - interval '2 minutes'
                         AND clock_timestamp() - interval '5 seconds'
            ORDER BY abs(extract(epoch FROM clock_timestamp() - at) - 60) LIMIT 1) AS b),
    'outbox', (SELECT jsonb_build_object('rows', count(*), 'oldest_at', min(at)) FROM (
        SELECT at FROM outbox
        WHERE id >= coalesce((SELECT outbox_floor FROM rate_sample ORDER BY at DESC LIMIT 1), 0)
        ORDER BY id LIMIT $1::int8) AS x),
    'waiting', (SELECT jsonb_build_object('tasks', count(*), 'due_at', min(due_at)) FROM (
        SELECT due_at FROM task WHERE due_at IS NOT NULL ORDER BY due_at LIMIT $1::int8) AS t),
    'parked', (SELECT coalesce(jsonb_agg(jsonb_build_object('stage', c.stage, 'tasks', p.tasks,
                                                            'since', p.since)), '[]')
        FROM claimed c CROSS JOIN LATERAL (
            SELECT count(*) AS tasks, min(parked_at) AS since FROM (
                SELECT parked_at FROM task WHERE stage = c.stage AND parked_at IS NOT NULL
                ORDER BY order_id LIMIT $1::int8) AS t) AS p
        WHERE p.tasks > 0),
    'unknown', (SELECT jsonb_build_object('payments', count(*), 'since', min(unknown_since)) FROM (
        SELECT unknown_since FROM payment_attempt WHERE state = 6 ORDER BY unknown_since LIMIT $1::int8) AS u)
        || (SELECT jsonb_build_object('refunds', count(*), 'refunds_since', min(unknown_since)) FROM (
        SELECT unknown_since FROM refund WHERE state = 4 ORDER BY unknown_since LIMIT $1::int8) AS u),
    'dead', (SELECT coalesce(jsonb_agg(jsonb_build_object('currency', currency, 'open', open,
                                       'replaying', replaying, 'amount', amount)
                                       ORDER BY amount DESC), '[]')
        FROM (SELECT currency, sum(open)::int8 AS open, sum(replaying)::int8 AS replaying,
                     sum(at_risk)::int8 AS amount
              FROM incident_part GROUP BY currency) AS d
        WHERE open + replaying > 0),
    'runs', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', id, 'state', state,
                                       'members', members, 'released', released) ORDER BY id), '[]')
        FROM (SELECT id, state, members, released FROM replay_run
              WHERE state NOT IN ('done', 'canceled') ORDER BY id LIMIT 50) AS r),
    'orphans', (SELECT jsonb_build_object('open', count(*), 'sweep_ended_at', (
                           SELECT ended_at FROM orphan_sweep),
                       'compared_since_pause', (
                           SELECT s.while_paused AND s.begun_at >= b.since AND s.ended_at >= s.begun_at
                           FROM orphan_sweep s
                           JOIN breaker b ON b.stage = 1 AND b.is_queue AND b.held),
                       'list', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', l.id, 'side',
                               (ARRAY['provider', 'ours', 'differs'])[l.side], 'intent', l.intent_id,
                               'order', l.order_id, 'provider_status', l.status, 'amount', l.amount,
                               'received', l.received, 'currency', l.currency,
                               'found_at', l.found_at) ORDER BY l.received DESC, l.id), '[]')
                           FROM (SELECT id, side, intent_id, order_id, status, amount, received,
                                        currency, found_at
                                 FROM orphan WHERE resolved_at IS NULL
                                 ORDER BY received DESC, id LIMIT 20) AS l))
        FROM (SELECT FROM orphan WHERE resolved_at IS NULL LIMIT $1::int8) AS o),
    'breakers', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', name, 'class', class,
                                           'stage', stage, 'held', held, 'since', since,
                                           'who', who, 'why', why, 'state',
                                           (ARRAY['closed', 'open', 'probing', 'ramping'])[state])
                                           ORDER BY name, class), '[]')
        FROM breaker WHERE state <> 1 OR held),
    'relay', (SELECT jsonb_build_object('leads', until > clock_timestamp(), 'until',
                                        CASE WHEN isfinite(until) THEN until END)
        FROM relay_lease),
    'workers', (SELECT coalesce(jsonb_agg(jsonb_build_object('stage', c.stage, 'alive', w.alive)
                                          ORDER BY c.stage), '[]')
        FROM claimed c CROSS JOIN LATERAL (
            SELECT count(*) AS alive FROM worker w
            WHERE w.stage = c.stage AND w.alive_until > clock_timestamp()) AS w)
)::text
