-- Writes what was decided about orders: all of it for each order whose version is still the expected
-- one, nothing for the others.  Each claim raises the version, so a worker that slept past its lease
-- wins nothing here.
--   $1 order ids  $2 expected versions  $3 stages  $4 status  $5 final  $6 reason  $7 event
--   $8 task state  $9 task attempt  $10 due in ms  $11 next stage (0: none)
--   $12 payment attempt (0: none)  $13 its state  $14 intent (NULL: as it is)  $15 confirms
--   $16 a confirm is about to be sent  $17 decline code  $18 captured
--   $19 carrier's id (NULL: no shipment)  $20 tracking  $21 stock: 0 or 1 kept here, 2 shipped
--   $22 fault kind  $23 code  $24 text  $25 the worker keeps the task
--   $26 the last so many attempts are in doubt  $27 process
--   $30 decline reason  $31 the same card may do  $32 another card may  $33 next action
--   $34 no money can move by this attempt any more
--   $35, $36 when its calls to the outside were begun, and answered, in µs since 1970; 0: there were none
-- A task that goes on as it was is not written.  Right after it, where there is one: a new attempt
-- (outcome_attempts.sql), stock that comes back (outcome_restock.sql), a dead letter (outcome_letters.sql).
--   $28, $29 least and greatest order id: only their months' partitions are opened
-- What a step seldom says, or once, is taken from its array by the order's position where it is written: a
-- column less of what is unnested, sorted and handed on.
-- One row back for each that won: its position from 1, its new version.
-- LIMIT: as in claim.sql.
-- The update itself locks, in the order of the ids (a nested loop over a sorted list), and sees the
-- newest version of a row it had to wait for: who won is what it returns.
-- of one month: also on the own tables of the month that all of the batch is of (schema/month.h).
WITH winner AS (
    UPDATE orders o
    SET version = o.version + 1, status = c.status, final = ($5::bool[])[c.n],
        reason = coalesce(($6::text[])[c.n], o.reason),
        updated_at = now()
    FROM (SELECT c.*, c.position::int4 AS n
          FROM unnest($1::uuid[], $2::int4[], $3::int2[], $4::int2[], $8::int2[], $11::int2[],
                      $12::int2[], $13::int2[], $21::int2[], $25::bool[]) WITH ORDINALITY
               AS c (order_id, version, stage, status, task_state, next, number, attempt_state, stock,
                     keeps_running, position)
          ORDER BY c.order_id LIMIT cardinality($1::uuid[])) AS c
    WHERE o.id = ANY (ARRAY[c.order_id]) AND o.version = c.version AND o.id BETWEEN $28::uuid AND $29::uuid
    RETURNING c.*, o.trace
), happened AS (
    INSERT INTO order_event (order_id, version, kind, status, process, hop, detail)
    SELECT order_id, version + 1, ($7::text[])[n], status, $27::text,
           hop_of(($35::int8[])[n], ($36::int8[])[n]),
           CASE WHEN ($22::text[])[n] <> '' THEN
               jsonb_build_object('stage', stage, 'attempt', ($9::int4[])[n], 'fault', ($22::text[])[n],
                                  'code', ($23::text[])[n], 'text', ($24::text[])[n])
           WHEN ($17::text[])[n] <> '' THEN
               jsonb_build_object('decline_code', ($17::text[])[n], 'reason', ($30::text[])[n])
           WHEN ($20::text[])[n] <> '' THEN jsonb_build_object('tracking', ($20::text[])[n]) END
    FROM winner
), tasks AS (
    UPDATE task t
    SET state = w.task_state, attempt = ($9::int4[])[w.n], doubted = ($26::int4[])[w.n],
        worker_id = CASE WHEN w.keeps_running THEN t.worker_id END,
        due_at = CASE WHEN w.task_state = 3 THEN now() + ($10::int8[])[w.n] * interval '1 millisecond' END,
        parked_at = CASE WHEN w.task_state = 4 THEN now() END,
        fault_kind = ($22::text[])[w.n], fault_code = ($23::text[])[w.n], fault_text = ($24::text[])[w.n]
    FROM winner w
    WHERE t.order_id = ANY (ARRAY[w.order_id]) AND t.stage = w.stage
      AND t.order_id BETWEEN $28::uuid AND $29::uuid
      AND (NOT w.keeps_running OR ($9::int4[])[w.n] <> t.attempt OR ($26::int4[])[w.n] <> t.doubted
           OR ($22::text[])[w.n] <> t.fault_kind)
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
    UPDATE payment_attempt p
    SET state = w.attempt_state, intent_id = coalesce(($14::text[])[w.n], p.intent_id),
        confirms = ($15::int2[])[w.n], next_action = ($33::text[])[w.n],
        fenced = p.fenced OR ($34::bool[])[w.n],
        decline_code = CASE WHEN ($17::text[])[w.n] <> '' THEN ($17::text[])[w.n] ELSE p.decline_code END,
        decline_reason = CASE WHEN ($17::text[])[w.n] <> '' THEN ($30::text[])[w.n]
                              ELSE p.decline_reason END,
        retry_same_card = CASE WHEN ($17::text[])[w.n] <> '' THEN ($31::bool[])[w.n]
                               ELSE p.retry_same_card END,
        try_another_card = CASE WHEN ($17::text[])[w.n] <> '' THEN ($32::bool[])[w.n]
                                ELSE p.try_another_card END,
        unknown_since = CASE WHEN w.attempt_state = 6 THEN coalesce(p.unknown_since, now())
                             WHEN w.attempt_state = 2 THEN p.unknown_since END,
        ended_at = CASE WHEN w.attempt_state IN (4, 7) THEN coalesce(p.ended_at, now()) END,
        sent_at = CASE WHEN ($16::bool[])[w.n] THEN clock_timestamp() ELSE p.sent_at END,
        captured = CASE WHEN ($18::bool[])[w.n] THEN p.amount ELSE p.captured END
    FROM winner w
    WHERE p.order_id = ANY (ARRAY[w.order_id]) AND p.number = w.number
      AND p.order_id BETWEEN $28::uuid AND $29::uuid
), shipped AS (
    INSERT INTO shipment (order_id, reference, carrier_id, tracking)
    SELECT order_id, order_id::text, ($19::text[])[n], coalesce(($20::text[])[n], '')
    FROM winner WHERE ($19::text[])[n] IS NOT NULL
), gone AS (
    UPDATE reservation r SET state = 2
    FROM winner w
    WHERE w.stock = 2 AND r.order_id = ANY (ARRAY[w.order_id]) AND r.state = 1
      AND r.order_id BETWEEN $28::uuid AND $29::uuid
)
SELECT n, version + 1 FROM winner
