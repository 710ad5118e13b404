-- An order that was held as a possible duplicate is meant: it goes on where it was held.
--   $1 who  $2 why  $3 order id
-- One row back, or none (there is no such order): was it held, its status, its version, the act.
WITH held AS MATERIALIZED (
    SELECT o.id, o.version, o.status, o.trace
    FROM orders o
    JOIN duplicate d ON d.order_id = o.id
    WHERE o.id = $3::uuid AND o.status = 8 AND o.reason = 'possible_duplicate'
      AND d.released_at IS NULL
    FOR UPDATE OF o
), released AS (
    UPDATE duplicate d SET released_at = now() FROM held h WHERE d.order_id = h.id
    RETURNING d.order_id, d.of_order
), ready AS (
    UPDATE task t SET state = 1, due_at = NULL
    FROM held h WHERE t.order_id = h.id AND t.stage = 1 AND t.state = 3
    RETURNING t.order_id
), moved AS (
    UPDATE orders o SET version = h.version + 1, updated_at = now() FROM held h WHERE o.id = h.id
), happened AS (
    INSERT INTO order_event (order_id, version, kind, status, process, detail)
    SELECT id, version + 1, 'released', status, $1::text, jsonb_build_object('reason', $2::text)
    FROM held
), announced AS (
    INSERT INTO outbox (topic, order_ids, traces)
    SELECT 1, ARRAY[h.id], ARRAY[h.trace] FROM held h JOIN ready r ON r.order_id = h.id
), act AS (
    SELECT audit_append($1::text, 'order release', 'order ' || h.id, $2::text,
                        jsonb_build_object('of', r.of_order)) AS id
    FROM held h JOIN released r ON r.order_id = h.id
)
SELECT EXISTS (SELECT FROM held) AS was_held,
       jsonb_build_object('order', o.id, 'status', o.status,
                          'version', coalesce((SELECT version + 1 FROM held), o.version),
                          'audit', (SELECT id FROM act))::text
FROM orders o WHERE o.id = $3::uuid
