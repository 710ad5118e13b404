-- One dead letter with its history: what had happened to its order up to then, and since.
--   $1 id
SELECT jsonb_build_object(
           'id', d.id, 'order', d.order_id, 'stage', d.stage, 'incident', d.fingerprint,
           'fault_kind', d.fault_kind, 'fault_code', d.fault_code, 'fault_text', d.fault_text,
           'attempts', d.attempts, 'crashes', d.crashes, 'amount', d.amount,
           'currency', d.currency, 'state', d.state, 'created_at', d.created_at,
           'failed_at', d.failed_at, 'closed_at', d.closed_at,
           'status', (SELECT status FROM orders WHERE id = d.order_id),
           'discard', dead_fate(d.order_id, d.stage, d.state),
           'skus', (SELECT coalesce(jsonb_agg(sku ORDER BY sku), '[]') FROM dead_letter_sku
                    WHERE letter = d.id),
           'history', d.history,
           'since', (SELECT coalesce(jsonb_agg(jsonb_build_object('version', e.version, 'at', e.at,
                                'kind', e.kind, 'process', e.process, 'detail', e.detail)
                                ORDER BY e.version), '[]')
                     FROM order_event e
                     WHERE e.order_id = d.order_id
                       AND e.version > jsonb_array_length(CASE jsonb_typeof(d.history)
                                           WHEN 'array' THEN d.history ELSE '[]' END)))::text
FROM dead_letter d WHERE d.id = $1::int8
