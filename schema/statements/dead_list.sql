-- One page of the dead letters that a filter allows, the newest first.
--   $1 filter (schema/dead_filter.h)   $2 cursor, or NULL   $3 letters looked at, at most   $4 rows
WITH page AS MATERIALIZED (
    SELECT id, is_match, searched, next
    FROM dead_page($1::text::jsonb, $2::text, $3::int4, $4::int4)
)
SELECT jsonb_build_object(
    'dead_letters', coalesce(jsonb_agg(jsonb_build_object(
        'id', d.id, 'order', d.order_id, 'stage', d.stage, 'incident', d.fingerprint,
        'fault_kind', d.fault_kind, 'fault_code', d.fault_code, 'fault_text', d.fault_text,
        'attempts', d.attempts, 'crashes', d.crashes, 'amount', d.amount, 'currency', d.currency,
        'state', d.state, 'created_at', d.created_at, 'failed_at', d.failed_at,
        'closed_at', d.closed_at) ORDER BY d.created_at DESC, d.id DESC) FILTER (WHERE p.is_match),
        '[]'),
    'searched', coalesce(max(p.searched), 0),
    'next', max(p.next))::text
FROM page p CROSS JOIN LATERAL (
    SELECT id, order_id, stage, fingerprint, fault_kind, fault_code, fault_text, attempts, crashes,
           amount, currency, state, created_at, failed_at, closed_at
    FROM dead_letter WHERE id = p.id LIMIT 1
) AS d
