-- The whole life of one order, with what operators did to it, but nothing of the person who ordered.
--   $1 order id
SELECT jsonb_build_object(
    'order', o.id, 'account', o.account_id, 'status', o.status, 'final', o.final,
    'reason', o.reason, 'version', o.version, 'currency', o.currency, 'total', o.total,
    'items_total', o.items_total, 'shipping_total', o.shipping_total,
    'shipping_method', o.shipping_method, 'trace', o.trace,
    'duplicate', (SELECT jsonb_build_object('order', of_order, 'found_at', found_at,
                                            'released_at', released_at)
                  FROM duplicate WHERE order_id = o.id),
    'accepted_at', o.accepted_at, 'updated_at', o.updated_at,
    'lines', (SELECT jsonb_agg(jsonb_build_object('sku', sku, 'name', name, 'quantity', quantity,
                                                  'price', price) ORDER BY position)
              FROM order_line WHERE order_id = o.id),
    'events', (SELECT jsonb_agg(jsonb_build_object('version', version, 'at', at, 'kind', kind,
                      'status', status, 'process', process, 'detail', detail,
                      'hops', event_hops(kind, before, at, hop, is_same)) ORDER BY version)
               FROM (SELECT version, at, kind, status, process, detail, hop, lag(at) OVER past AS before,
                            process = lag(process) OVER past AND bool_or(hop IS NOT NULL) OVER past AS is_same
                     FROM order_event WHERE order_id = o.id WINDOW past AS (ORDER BY version)) AS e),
    'tasks', (SELECT jsonb_agg(jsonb_build_object('stage', stage, 'task_state', state,
                     'attempt', attempt, 'crashes', crashes, 'sweeps', sweeps, 'fence', fence,
                     'due_at', due_at, 'fault_kind', fault_kind, 'fault_code', fault_code,
                     'fault_text', fault_text) ORDER BY stage)
              FROM task WHERE order_id = o.id),
    'attempts', (SELECT coalesce(jsonb_agg(jsonb_build_object('number', number,
                        'attempt_state', state, 'provider', provider, 'amount', amount,
                        'currency', currency, 'intent', intent_id, 'confirms', confirms,
                        'decline_code', decline_code, 'captured', captured,
                        'opened_at', opened_at) ORDER BY number), '[]')
                 FROM payment_attempt WHERE order_id = o.id),
    'refunds', (SELECT coalesce(jsonb_agg(jsonb_build_object('number', number, 'refund_state', state,
                       'amount', amount, 'currency', currency, 'provider_id', provider_id,
                       'actor', actor, 'reason', reason, 'opened_at', opened_at,
                       'ended_at', ended_at) ORDER BY number), '[]')
                FROM refund WHERE order_id = o.id),
    'reservations', (SELECT coalesce(jsonb_agg(jsonb_build_object('sku', sku,
                            'quantity', quantity, 'reservation_state', state) ORDER BY sku), '[]')
                     FROM reservation WHERE order_id = o.id),
    'shipment', (SELECT jsonb_build_object('reference', reference, 'carrier_id', carrier_id,
                        'tracking', tracking, 'shipped_at', shipped_at)
                 FROM shipment WHERE order_id = o.id),
    'acts', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', id, 'at', at, 'actor', actor,
                    'act', act, 'reason', reason) ORDER BY id), '[]')
             FROM audit
             WHERE target = ANY (
                 ARRAY(SELECT 'dead_letter ' || id FROM dead_letter WHERE order_id = o.id)
                 || ARRAY(SELECT 'replay_run ' || (detail ->> 'run') FROM order_event
                          WHERE order_id = o.id AND kind = 'replayed' AND detail ? 'run')
                 || ('order ' || o.id))),
    'dead_letters', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', id, 'stage', stage,
                            'state', state, 'fault_code', fault_code, 'created_at', created_at)
                            ORDER BY id), '[]')
                     FROM dead_letter WHERE order_id = o.id)
)::text
FROM orders o WHERE o.id = $1::uuid
