-- One incident with letters of it, spread over time: near the newest, and near moments before.
--   $1 filter (schema/dead_filter.h): one incident, and states   $2 how many letters
-- Each letter is found by the index: the first one at or after its moment.
WITH asked AS MATERIALIZED (
    SELECT $1::text::jsonb -> 'states' AS states, $1::text::jsonb -> 'incidents' ->> 0 AS fingerprint
), part AS MATERIALIZED (
    SELECT p.fingerprint, p.currency, min(p.stage) AS stage, min(p.fault_kind) AS fault_kind,
           min(p.fault_code) AS fault_code, min(p.pattern) AS pattern, sum(p.open) AS open,
           sum(p.replaying) AS replaying, sum(p.resolved) AS resolved,
           sum(p.discarded) AS discarded, sum(p.at_risk) AS at_risk, min(p.first_at) AS first_at,
           max(p.last_at) AS last_at
    FROM asked a CROSS JOIN incident_part p WHERE p.fingerprint = a.fingerprint
    GROUP BY p.fingerprint, p.currency
), moment AS MATERIALIZED (
    SELECT s.first_at + (s.last_at - s.first_at) * n / $2::int4 AS at
    FROM (SELECT min(first_at) AS first_at, max(last_at) AS last_at FROM part) AS s,
         generate_series(0, $2::int4 - 1) AS n
), sample AS MATERIALIZED (
    SELECT DISTINCT ON (m.at) d.id
    FROM asked a CROSS JOIN moment m
    CROSS JOIN jsonb_array_elements_text(a.states) AS wanted (state)
    CROSS JOIN LATERAL (
        SELECT id, created_at FROM dead_letter
        WHERE fingerprint = a.fingerprint AND state = wanted.state AND created_at >= m.at
        ORDER BY created_at, id LIMIT 1
    ) AS d
    ORDER BY m.at, wanted.state IN ('open', 'replaying') DESC, d.created_at
)
SELECT jsonb_build_object(
    'incident', fingerprint, 'stage', min(stage), 'fault_kind', min(fault_kind),
    'fault_code', min(fault_code), 'pattern', min(pattern), 'open', sum(open),
    'replaying', sum(replaying), 'resolved', sum(resolved), 'discarded', sum(discarded),
    'orders', CASE WHEN min(stage) = 0 THEN 0 ELSE sum(open + replaying) END,
    'at_risk', coalesce(jsonb_agg(jsonb_build_object('amount', at_risk, 'currency', currency)
                        ORDER BY at_risk DESC) FILTER (WHERE at_risk > 0), '[]'),
    'first_at', min(first_at), 'last_at', max(last_at),
    'samples', (SELECT coalesce(jsonb_agg(jsonb_build_object(
            'id', d.id, 'order', d.order_id, 'stage', d.stage, 'fault_text', d.fault_text,
            'attempts', d.attempts, 'crashes', d.crashes, 'amount', d.amount,
            'currency', d.currency, 'state', d.state, 'created_at', d.created_at,
            'failed_at', d.failed_at) ORDER BY d.created_at DESC, d.id DESC), '[]')
        FROM (SELECT DISTINCT id FROM sample) AS s CROSS JOIN LATERAL (
            SELECT id, order_id, stage, fault_text, attempts, crashes, amount, currency, state,
                   created_at, failed_at
            FROM dead_letter WHERE id = s.id LIMIT 1
        ) AS d))::text
FROM part GROUP BY fingerprint
