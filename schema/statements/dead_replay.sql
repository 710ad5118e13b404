-- Lets an order go on where it gave up: its task is ready again, with no attempt and no crash counted.
-- Order, task and dead letter are locked in that order, as everywhere, and all three must still be as
-- they were; every write selects from that.  An order on hold goes back to what is true: being undone,
-- paid, or not.  A refund may be of an order that has ended.
-- coalesce(state): not by the index of all that are open.
--   $1 who  $2 why  $3 dead letter
WITH won AS MATERIALIZED (
    SELECT d.id AS letter, d.stage, o.id, o.version, o.status, o.trace, o.undo
    FROM dead_letter d
    JOIN orders o ON o.id = d.order_id
    JOIN task t ON t.order_id = d.order_id AND t.stage = d.stage
    WHERE d.id = $3::int8 AND coalesce(d.state, '') = 'open' AND t.state = 6 AND (NOT o.final OR d.stage = 4)
    FOR UPDATE OF o, t, d
), moved AS (
    UPDATE orders o
    SET version = won.version + 1, updated_at = clock_timestamp(),
        status = CASE WHEN won.status <> 8 THEN won.status WHEN won.undo = 1 THEN 9
                      WHEN won.undo = 2 THEN 11 WHEN won.stage = 1 THEN 2 ELSE 3 END,
        reason = CASE WHEN won.status <> 8 THEN o.reason ELSE '' END
    FROM won WHERE o.id = won.id
    RETURNING o.id, o.version, o.status, o.trace, won.stage, won.letter
), woken AS (
    UPDATE task t
    SET state = 1, attempt = 0, crashes = 0, sweeps = 0, worker_id = NULL, due_at = NULL,
        fault_kind = '', fault_code = '', fault_text = ''
    FROM won WHERE t.order_id = won.id AND t.stage = won.stage
), opened AS (
    UPDATE dead_letter d SET state = 'replaying' FROM won WHERE d.id = won.letter
), told AS (
    INSERT INTO order_event (order_id, version, kind, status, process, detail)
    SELECT id, version, 'replayed', status, 'api', jsonb_build_object('dead_letter', letter)
    FROM moved
), published AS (
    INSERT INTO outbox (topic, order_ids, traces) SELECT stage, ARRAY[id], ARRAY[trace] FROM moved
)
SELECT EXISTS (SELECT FROM moved), d.state,
       jsonb_build_object('id', d.id, 'order', d.order_id, 'stage', d.stage, 'state', 'replaying',
                          'status', (SELECT status FROM moved),
                          'audit', (SELECT audit_append($1::text, 'dead replay',
                                                        'dead_letter ' || letter, $2::text)
                                    FROM moved))::text
FROM dead_letter d WHERE d.id = $3::int8
