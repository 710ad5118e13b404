-- Writes what was decided about orders: all of it for each order whose version is still the expected
-- one, nothing for the others.  Each claim raises the version, so a worker that slept past its lease
-- wins nothing here.
--   $1 order ids  $2 expected versions  $3 stages  $4 status  $5 final  $6 reason  $7 event
--   $8 task state  $9 task attempt  $10 due in ms  $11 next stage (0: none)
--   $12 payment attempt (0: none)  $13 its state  $14 intent (NULL: as it is)  $15 confirms
--   $16 a confirm is about to be sent  $17 decline code  $18 captured
--   $19 carrier's id (NULL: no shipment)  $20 tracking  $21 stock: 0 kept, 1 returned, 2 shipped
--   $22 dead letter  $23 fault kind  $24 code  $25 text  $26 the worker keeps the task
--   $27 provider  $28 process   $29 the last so many attempts are in doubt
--   $30 why it is undone (0: as it is)  $31 every other task of the order is done
--   $32 refund (0: none)  $33 amount of a new one (0: it is there)  $34 its state
--   $35 its keys  $36 it is about to be sent  $37 the provider's id (NULL: as it is)
-- One row back for each that won: its position from 1, its new version.
-- LATERAL with a limit: one probe a row, whatever a plan made over empty tables believes.
WITH locked AS MATERIALIZED (
    SELECT c.*, o.current, o.trace, o.total, o.currency, o.payment_method
    FROM (SELECT c.* FROM unnest($1::uuid[], $2::int4[], $3::int2[], $4::int2[], $5::bool[], $6::text[], $7::text[],
                $8::int2[], $9::int4[], $10::int8[], $11::int2[], $12::int2[], $13::int2[],
                $14::text[], $15::int2[], $16::bool[], $17::text[], $18::bool[], $19::text[],
                $20::text[], $21::int2[], $22::bool[], $23::text[], $24::text[], $25::text[],
                $26::bool[], $29::int4[], $30::int2[], $31::bool[], $32::int2[], $33::int8[],
                $34::int2[], $35::int2[], $36::bool[], $37::text[]) WITH ORDINALITY
         AS c (order_id, version, stage, status, final, reason, event, task_state, task_attempt,
               due_ms, next, number, attempt_state, intent_id, confirms, is_sending, decline_code,
               is_captured, carrier_id, tracking, stock, is_dead, fault_kind, fault_code,
               fault_text, keeps_running, doubted, undo, closes, refund, refund_amount, refund_state,
               refund_keys, is_refund_sending, refund_id, n)
          ORDER BY c.order_id) AS c
    CROSS JOIN LATERAL (
        SELECT o.version AS current, o.trace, o.total, o.currency, o.payment_method
        FROM orders o WHERE o.id = c.order_id LIMIT 1 FOR UPDATE
    ) AS o
), winner AS MATERIALIZED (
    SELECT * FROM locked WHERE version = current
), moved AS (
    UPDATE orders o
    SET version = o.version + 1, status = w.status, final = w.final,
        reason = coalesce(w.reason, o.reason), updated_at = now(),
        undo = CASE WHEN w.undo = 0 THEN o.undo ELSE w.undo END,
        undo_at = CASE WHEN w.undo = 0 THEN o.undo_at ELSE now() END
    FROM winner w WHERE o.id = w.order_id
), happened AS (
    INSERT INTO order_event (order_id, version, kind, status, process, detail)
    SELECT order_id, version + 1, event, status, $28::text,
           CASE WHEN fault_kind <> '' THEN
               jsonb_build_object('stage', stage, 'attempt', task_attempt, 'fault', fault_kind,
                                  'code', fault_code, 'text', fault_text)
           WHEN decline_code <> '' THEN jsonb_build_object('decline_code', decline_code)
           WHEN tracking <> '' THEN jsonb_build_object('tracking', tracking)
           WHEN refund <> 0 THEN jsonb_build_object('refund', refund) END
    FROM winner
), tasks AS (
    UPDATE task t
    SET state = w.task_state, attempt = w.task_attempt, doubted = w.doubted,
        worker_id = CASE WHEN w.keeps_running THEN t.worker_id END,
        due_at = CASE WHEN w.task_state = 3 THEN now() + w.due_ms * interval '1 millisecond' END,
        parked_at = CASE WHEN w.task_state = 4 THEN now() END,
        fault_kind = w.fault_kind, fault_code = w.fault_code, fault_text = w.fault_text
    FROM winner w WHERE t.order_id = w.order_id AND t.stage = w.stage
), closed AS (
    UPDATE task t SET state = 5, worker_id = NULL, due_at = NULL, parked_at = NULL
    FROM winner w
    WHERE w.closes AND t.order_id = w.order_id AND t.stage <> w.stage AND t.state <> 5
), following AS (
    INSERT INTO task AS t (order_id, stage)
    SELECT order_id, next FROM winner WHERE next NOT IN (0, stage)
    ON CONFLICT (order_id, stage) DO UPDATE
        SET state = 1, attempt = 0, doubted = 0, due_at = NULL, worker_id = NULL
        WHERE t.state = 5 AND t.stage IN (3, 4)  -- beside the way: asked for more than once
), announced AS (
    INSERT INTO outbox (topic, order_ids, traces)
    SELECT next, array_agg(order_id ORDER BY order_id), array_agg(trace ORDER BY order_id)
    FROM (SELECT next, order_id, trace,
                 (row_number() OVER (PARTITION BY next ORDER BY order_id) - 1) / 100 AS part
          FROM winner WHERE next <> 0) AS ready
    GROUP BY next, part
), attempts AS (
    INSERT INTO payment_attempt (order_id, number, state, provider, method, amount, currency,
                                 intent_id, confirms, decline_code)
    SELECT order_id, number, attempt_state, $27::text, payment_method, total, currency,
           coalesce(intent_id, ''), confirms, decline_code
    FROM winner WHERE number <> 0 AND total > 0
    ON CONFLICT (order_id, number) DO NOTHING
    RETURNING order_id
), attempts_moved AS (
    UPDATE payment_attempt p
    SET state = w.attempt_state, intent_id = coalesce(w.intent_id, p.intent_id),
        confirms = w.confirms, decline_code = w.decline_code,
        sent_at = CASE WHEN w.is_sending THEN clock_timestamp() ELSE p.sent_at END,
        captured = CASE WHEN w.is_captured THEN p.amount ELSE p.captured END
    FROM winner w WHERE p.order_id = w.order_id AND p.number = w.number
), refunds AS (
    INSERT INTO refund (order_id, number, attempt, provider, intent_id, amount, currency, state,
                        keys, actor, reason)
    SELECT w.order_id, w.refund, p.number, p.provider, p.intent_id, w.refund_amount, p.currency,
           w.refund_state, w.refund_keys, $28::text, w.reason
    FROM winner w CROSS JOIN LATERAL (
        SELECT p.number, p.provider, p.intent_id, p.currency FROM payment_attempt p
        WHERE p.order_id = w.order_id AND p.captured > 0 ORDER BY p.number DESC LIMIT 1
    ) AS p
    WHERE w.refund_amount > 0
), refunds_moved AS (
    UPDATE refund r
    SET state = w.refund_state, keys = w.refund_keys,
        provider_id = coalesce(w.refund_id, r.provider_id),
        sent_at = CASE WHEN w.is_refund_sending THEN clock_timestamp() ELSE r.sent_at END,
        ended_at = CASE WHEN w.refund_state IN (5, 6) THEN clock_timestamp() END
    FROM winner w
    WHERE w.refund <> 0 AND w.refund_amount = 0 AND r.order_id = w.order_id AND r.number = w.refund
), shipped AS (
    INSERT INTO shipment (order_id, reference, carrier_id, tracking)
    SELECT order_id, order_id::text, carrier_id, coalesce(tracking, '')
    FROM winner WHERE carrier_id IS NOT NULL
), released AS (
    UPDATE reservation r SET state = CASE w.stock WHEN 1 THEN 3 ELSE 2 END
    FROM winner w WHERE w.stock <> 0 AND r.order_id = w.order_id AND r.state = 1
    RETURNING r.sku, r.quantity, r.state
), returned AS MATERIALIZED (
    SELECT s.sku, x.quantity
    FROM (SELECT sku, sum(quantity) AS quantity FROM released WHERE state = 3 GROUP BY sku) AS x
    JOIN stock s ON s.sku = x.sku
    ORDER BY s.sku
    FOR UPDATE OF s
), restocked AS (
    UPDATE stock s SET available = s.available + x.quantity FROM returned x WHERE s.sku = x.sku
), given_up AS (
    INSERT INTO dead_letter (order_id, stage, fingerprint, fault_kind, fault_code, fault_text,
                             attempts, crashes, amount, currency, history)
    SELECT w.order_id, w.stage, concat_ws('/', w.stage, w.fault_kind, w.fault_code), w.fault_kind,
           w.fault_code, w.fault_text, w.task_attempt,
           (SELECT t.crashes FROM task t WHERE t.order_id = w.order_id AND t.stage = w.stage),
           w.total, w.currency,
           (SELECT coalesce(jsonb_agg(jsonb_build_object('version', e.version, 'at', e.at,
                       'kind', e.kind, 'process', e.process, 'detail', e.detail)
                       ORDER BY e.version), '[]')
            FROM order_event e WHERE e.order_id = w.order_id)
    FROM winner w WHERE w.is_dead
    ON CONFLICT (order_id, stage) WHERE state IN ('open', 'replaying')
    DO UPDATE SET state = 'open', fingerprint = excluded.fingerprint,
        fault_kind = excluded.fault_kind, fault_code = excluded.fault_code,
        fault_text = excluded.fault_text, attempts = excluded.attempts,
        crashes = excluded.crashes, history = excluded.history, failed_at = now()
), resolved AS (
    UPDATE dead_letter d SET state = 'resolved', closed_at = now()
    FROM winner w
    WHERE (w.task_state = 5 AND d.stage = w.stage OR w.closes AND d.stage <> w.stage)
      AND d.order_id = w.order_id AND d.state IN ('open', 'replaying')
)
SELECT n::int4, version + 1 FROM winner
