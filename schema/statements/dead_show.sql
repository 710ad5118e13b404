-- One dead letter with its history.
--   $1 id
SELECT jsonb_build_object(
           'id', id, 'order', order_id, 'stage', stage, 'fingerprint', fingerprint,
           'fault_kind', fault_kind, 'fault_code', fault_code, 'fault_text', fault_text,
           'attempts', attempts, 'crashes', crashes, 'amount', amount, 'currency', currency,
           'state', state, 'created_at', created_at, 'closed_at', closed_at,
           'history', history)::text
FROM dead_letter WHERE id = $1::int8
