-- Incidents: dead letters with one fingerprint, counted by what is folded and what is not yet.
--   $1 filter: only stages, kinds, codes, incidents and states   $2 sorted by: at_risk or last
--   $3 how many at most
-- Money of different currencies does not add up: at_risk sorts by the largest amount of any one.
WITH asked AS MATERIALIZED (
    SELECT $1::text::jsonb AS filter
), part AS MATERIALIZED (
    SELECT p.fingerprint, p.currency, min(p.stage) AS stage, min(p.fault_kind) AS fault_kind,
           min(p.fault_code) AS fault_code, min(p.pattern) AS pattern, sum(p.open) AS open,
           sum(p.replaying) AS replaying, sum(p.resolved) AS resolved,
           sum(p.discarded) AS discarded, sum(p.at_risk) AS at_risk, min(p.first_at) AS first_at,
           max(p.last_at) AS last_at
    FROM incident_part p, asked a
    WHERE (a.filter -> 'incidents' IS NULL OR a.filter -> 'incidents' ? p.fingerprint)
      AND (a.filter -> 'stages' IS NULL OR a.filter -> 'stages' @> to_jsonb(p.stage))
      AND (a.filter -> 'kinds' IS NULL OR a.filter -> 'kinds' ? p.fault_kind)
      AND (a.filter -> 'codes' IS NULL OR a.filter -> 'codes' ? p.fault_code)
    GROUP BY p.fingerprint, p.currency
), whole AS MATERIALIZED (
    SELECT fingerprint, min(stage) AS stage, min(fault_kind) AS fault_kind,
           min(fault_code) AS fault_code, min(pattern) AS pattern, sum(open) AS open,
           sum(replaying) AS replaying, sum(resolved) AS resolved, sum(discarded) AS discarded,
           max(at_risk) AS most, min(first_at) AS first_at, max(last_at) AS last_at,
           jsonb_agg(jsonb_build_object('amount', at_risk, 'currency', currency)
                     ORDER BY at_risk DESC) FILTER (WHERE at_risk > 0) AS at_risk
    FROM part, asked a
    GROUP BY fingerprint, a.filter
    HAVING sum(CASE WHEN a.filter -> 'states' ? 'open' THEN open ELSE 0 END
               + CASE WHEN a.filter -> 'states' ? 'replaying' THEN replaying ELSE 0 END
               + CASE WHEN a.filter -> 'states' ? 'resolved' THEN resolved ELSE 0 END
               + CASE WHEN a.filter -> 'states' ? 'discarded' THEN discarded ELSE 0 END) > 0
), total AS (
    SELECT currency, sum(at_risk) AS amount FROM part GROUP BY currency
), shown AS (
    SELECT fingerprint, stage, fault_kind, fault_code, pattern, open, replaying, resolved,
           discarded, most, first_at, last_at, at_risk,
           row_number() OVER (ORDER BY CASE WHEN $2::text = 'last' THEN last_at END DESC,
                              most DESC, last_at DESC, fingerprint) AS n
    FROM whole
)
SELECT jsonb_build_object(
    'incidents', (SELECT coalesce(jsonb_agg(jsonb_build_object(
            'incident', fingerprint, 'stage', stage, 'fault_kind', fault_kind,
            'fault_code', fault_code, 'pattern', pattern, 'open', open, 'replaying', replaying,
            'resolved', resolved, 'discarded', discarded, 'at_risk', coalesce(at_risk, '[]'),
            'orders', CASE WHEN stage = 0 THEN 0 ELSE open + replaying END,
            'first_at', first_at, 'last_at', last_at) ORDER BY n), '[]')
        FROM shown WHERE n <= $3::int4),
    'count', (SELECT count(*) FROM whole),
    'open', (SELECT coalesce(sum(open), 0) FROM whole),
    'replaying', (SELECT coalesce(sum(replaying), 0) FROM whole),
    'at_risk', (SELECT coalesce(jsonb_agg(jsonb_build_object('amount', amount, 'currency', currency)
                                ORDER BY amount DESC), '[]') FROM total WHERE amount > 0))::text
