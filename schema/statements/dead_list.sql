-- Dead letters, the newest first.
--   $1 state, or "all"  $2 how many at most
SELECT jsonb_build_object('dead_letters', coalesce(jsonb_agg(jsonb_build_object(
           'id', id, 'order', order_id, 'stage', stage, 'fingerprint', fingerprint,
           'fault_kind', fault_kind, 'fault_code', fault_code, 'fault_text', fault_text,
           'attempts', attempts, 'crashes', crashes, 'amount', amount, 'currency', currency,
           'state', state, 'created_at', created_at, 'closed_at', closed_at) ORDER BY id DESC),
           '[]'))::text
FROM (SELECT id, order_id, stage, fingerprint, fault_kind, fault_code, fault_text, attempts,
             crashes, amount, currency, state, created_at, closed_at
      FROM dead_letter WHERE $1::text = 'all' OR state = $1::text
      ORDER BY id DESC LIMIT $2::int4) AS letter
