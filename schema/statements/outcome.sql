-- Writes what was decided about orders: all of it for each order whose version is still the expected
-- one, nothing for the others.  Each claim raises the version, so a worker that slept past its lease
-- wins nothing here.
--   $1 order ids  $2 expected versions  $3 stages  $4 status  $5 final  $6 reason  $7 event
--   $8 task state  $9 task attempt  $10 due in ms  $11 next stage (0: none)
--   $12 payment attempt (0: none)  $13 its state  $14 intent (NULL: as it is)  $15 confirms
--   $16 a confirm is about to be sent  $17 decline code  $18 captured
--   $19 carrier's id (NULL: no shipment)  $20 tracking  $21 stock: 0 kept, 1 returned, 2 shipped
--   $22 fault kind  $23 code  $24 text  $25 the worker keeps the task
--   $26 the last so many attempts are in doubt  $27 provider  $28 process
--   $31 decline reason  $32 the same card may do  $33 another card may  $34 next action
--   $35 no money can move by this attempt any more
--   $36, $37 when its calls to the outside were begun, and answered, in µs since 1970; 0: there were none
-- A task that goes on as it was is not written.  Dead letters: outcome_letters.sql, right after.
--   $29, $30 least and greatest order id: only their months' partitions are opened
-- One row back for each that won: its position from 1, its new version.
-- LIMIT: as in claim.sql.
-- The update itself locks, in the order of the ids (a nested loop over a sorted list), and sees the
-- newest version of a row it had to wait for: who won is what it returns.
-- of one month: also on the own tables of the month that all of the batch is of (schema/month.h).
WITH winner AS (
    UPDATE orders o
    SET version = o.version + 1, status = c.status, final = c.final,
        reason = coalesce(c.reason, o.reason),
        updated_at = now()
    FROM (SELECT c.* FROM unnest($1::uuid[], $2::int4[], $3::int2[], $4::int2[], $5::bool[], $6::text[],
                $7::text[], $8::int2[], $9::int4[], $10::int8[], $11::int2[], $12::int2[],
                $13::int2[], $14::text[], $15::int2[], $16::bool[], $17::text[], $18::bool[],
                $19::text[], $20::text[], $21::int2[], $22::text[], $23::text[], $24::text[],
                $25::bool[], $26::int4[], $31::text[], $32::bool[], $33::bool[],
                $34::text[], $35::bool[], $36::int8[], $37::int8[]) WITH ORDINALITY
         AS c (order_id, version, stage, status, final, reason, event, task_state, task_attempt,
               due_ms, next, number, attempt_state, intent_id, confirms, is_sending, decline_code,
               is_captured, carrier_id, tracking, stock, fault_kind, fault_code,
               fault_text, keeps_running, doubted, decline_reason, retry_same_card,
               try_another_card, next_action, fenced, called, answered, n)
          ORDER BY c.order_id LIMIT cardinality($1::uuid[])) AS c
    WHERE o.id = c.order_id AND o.version = c.version AND o.id BETWEEN $29::uuid AND $30::uuid
    RETURNING c.*, o.trace, o.total, o.currency, o.payment_method
), happened AS (
    INSERT INTO order_event (order_id, version, kind, status, process, hop, detail)
    SELECT order_id, version + 1, event, status, $28::text, hop_of(called, answered),
           CASE WHEN fault_kind <> '' THEN
               jsonb_build_object('stage', stage, 'attempt', task_attempt, 'fault', fault_kind,
                                  'code', fault_code, 'text', fault_text)
           WHEN decline_code <> '' THEN
               jsonb_build_object('decline_code', decline_code, 'reason', decline_reason)
           WHEN tracking <> '' THEN jsonb_build_object('tracking', tracking) END
    FROM winner
), tasks AS (
    UPDATE task t
    SET state = w.task_state, attempt = w.task_attempt, doubted = w.doubted,
        worker_id = CASE WHEN w.keeps_running THEN t.worker_id END,
        due_at = CASE WHEN w.task_state = 3 THEN now() + w.due_ms * interval '1 millisecond' END,
        parked_at = CASE WHEN w.task_state = 4 THEN now() END,
        fault_kind = w.fault_kind, fault_code = w.fault_code, fault_text = w.fault_text
    FROM winner w
    WHERE t.order_id = w.order_id AND t.stage = w.stage
      AND t.order_id BETWEEN $29::uuid AND $30::uuid
      AND (NOT w.keeps_running OR w.task_attempt <> t.attempt OR w.doubted <> t.doubted
           OR w.fault_kind <> t.fault_kind)
), following AS (
    INSERT INTO task AS t (order_id, stage)
    SELECT order_id, next FROM winner WHERE next NOT IN (0, stage)
    ON CONFLICT (order_id, stage) DO UPDATE
        SET state = 1, attempt = 0, doubted = 0, due_at = NULL, worker_id = NULL
        WHERE t.state IN (5, 6) AND t.stage IN (3, 4)  -- beside the way: perhaps once more
), announced AS (
    INSERT INTO outbox (topic, order_ids, traces)
    SELECT next, array_agg(order_id ORDER BY order_id), array_agg(trace ORDER BY order_id)
    FROM (SELECT next, order_id, trace,
                 (row_number() OVER (PARTITION BY next ORDER BY order_id) - 1) / 100 AS part
          FROM winner WHERE next <> 0) AS ready
    GROUP BY next, part
), attempts AS (
    INSERT INTO payment_attempt (order_id, number, state, provider, method, amount, currency,
                                 intent_id, confirms)
    SELECT order_id, number, attempt_state, $27::text, payment_method, total, currency,
           coalesce(intent_id, ''), confirms
    FROM winner WHERE number <> 0 AND total > 0
    ON CONFLICT (order_id, number) DO NOTHING
    RETURNING order_id
), attempts_moved AS (
    UPDATE payment_attempt p
    SET state = w.attempt_state, intent_id = coalesce(w.intent_id, p.intent_id),
        confirms = w.confirms, next_action = w.next_action, fenced = p.fenced OR w.fenced,
        decline_code = CASE WHEN w.decline_code <> '' THEN w.decline_code ELSE p.decline_code END,
        decline_reason = CASE WHEN w.decline_code <> '' THEN w.decline_reason
                              ELSE p.decline_reason END,
        retry_same_card = CASE WHEN w.decline_code <> '' THEN w.retry_same_card
                               ELSE p.retry_same_card END,
        try_another_card = CASE WHEN w.decline_code <> '' THEN w.try_another_card
                                ELSE p.try_another_card END,
        unknown_since = CASE WHEN w.attempt_state = 6 THEN coalesce(p.unknown_since, now())
                             WHEN w.attempt_state = 2 THEN p.unknown_since END,
        ended_at = CASE WHEN w.attempt_state IN (4, 7) THEN coalesce(p.ended_at, now()) END,
        sent_at = CASE WHEN w.is_sending THEN clock_timestamp() ELSE p.sent_at END,
        captured = CASE WHEN w.is_captured THEN p.amount ELSE p.captured END
    FROM winner w
    WHERE p.order_id = w.order_id AND p.number = w.number
      AND p.order_id BETWEEN $29::uuid AND $30::uuid
), shipped AS (
    INSERT INTO shipment (order_id, reference, carrier_id, tracking)
    SELECT order_id, order_id::text, carrier_id, coalesce(tracking, '')
    FROM winner WHERE carrier_id IS NOT NULL
), released AS (
    UPDATE reservation r SET state = CASE w.stock WHEN 1 THEN 3 ELSE 2 END
    FROM winner w
    WHERE w.stock <> 0 AND r.order_id = w.order_id AND r.state = 1
      AND r.order_id BETWEEN $29::uuid AND $30::uuid
    RETURNING r.sku, r.quantity, r.state
), returned AS MATERIALIZED (
    SELECT x.sku, x.quantity, x.seen
    FROM (SELECT sku, sum(quantity) AS quantity,
                 (SELECT max(n.version) FROM stock n WHERE n.sku = r.sku) AS seen
          FROM released r WHERE state = 3 GROUP BY sku ORDER BY sku) AS x
    CROSS JOIN LATERAL (
        SELECT FROM stock s WHERE s.sku = x.sku ORDER BY s.version DESC LIMIT 1 FOR UPDATE
    ) AS s
), restocked AS (
    UPDATE stock s SET available = s.available + x.quantity, version = s.version + 1
    FROM returned x WHERE s.sku = x.sku AND s.version >= x.seen  -- it has risen while it was waited for
)
SELECT n::int4, version + 1 FROM winner
