-- Lets an order go on where it gave up: its task is ready again, with no attempt and no crash counted.
-- Order, task and dead letter are locked in that order, as everywhere, and all three must still be as
-- they were; every write selects from that.  An order on hold goes back to what is true: paid or not.
--   $1 dead letter  $2 who  $3 why
WITH won AS MATERIALIZED (
    SELECT d.id AS letter, d.stage, o.id, o.version, o.status, o.trace
    FROM dead_letter d
    JOIN orders o ON o.id = d.order_id
    JOIN task t ON t.order_id = d.order_id AND t.stage = d.stage
    WHERE d.id = $1::int8 AND d.state = 'open' AND t.state = 6 AND NOT o.final
    FOR UPDATE OF o, t, d
), moved AS (
    UPDATE orders o
    SET version = won.version + 1, updated_at = clock_timestamp(),
        status = CASE WHEN won.status <> 8 THEN won.status WHEN won.stage = 1 THEN 2 ELSE 3 END,
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
), act AS (
    SELECT coalesce(last.id, 0) + 1 AS id, clock_timestamp() AS at, moved.letter,
           coalesce(last.hash, '') AS before
    FROM moved LEFT JOIN (SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1) AS last ON true
), audited AS (
    INSERT INTO audit (id, at, actor, act, target, reason, hash)
    SELECT id, at, $2::text, 'replay', 'dead_letter ' || letter, $3::text,
           sha256(before || convert_to(concat_ws('|', id,
               to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), $2::text, 'replay',
                                                 'dead_letter ' || letter, $3::text), 'UTF8'))
    FROM act
)
SELECT EXISTS (SELECT FROM moved), d.state,
       jsonb_build_object('id', d.id, 'order', d.order_id, 'stage', d.stage, 'state', 'replaying',
                          'status', (SELECT status FROM moved))::text
FROM dead_letter d WHERE d.id = $1::int8
