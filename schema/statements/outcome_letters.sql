-- Dead letters of the outcomes that outcome.sql has just written, in the same transaction: made for those
-- that gave up, resolved for those that are done.  Who won there is known by its order's row, which is
-- this transaction's own.  A statement apart because the triggers of dead_letter run for each statement
-- that might write there, rows or none.  ANY (ARRAY[…]): as in claim.sql.
--   $1 order ids  $2 versions that outcome.sql expected  $3 stages  $4 task state  $5 task attempt
--   $6 dead letter  $7 fault kind  $8 code  $9 text
WITH winner AS MATERIALIZED (
    SELECT c.*, o.total, o.currency
    FROM unnest($1::uuid[], $2::int4[], $3::int2[], $4::int2[], $5::int4[], $6::bool[], $7::text[],
                $8::text[], $9::text[])
         AS c (order_id, version, stage, task_state, task_attempt, is_dead, fault_kind, fault_code,
               fault_text)
    CROSS JOIN LATERAL (
        SELECT o.total, o.currency FROM orders o
        WHERE o.id = c.order_id AND o.version = c.version + 1
          AND o.xmin = pg_current_xact_id()::xid
        LIMIT 1
    ) AS o
), resolved AS (
    UPDATE dead_letter d SET state = 'resolved', closed_at = now()
    FROM winner w
    WHERE w.task_state = 5 AND d.order_id = ANY (ARRAY[w.order_id]) AND d.stage = w.stage
      AND coalesce(d.state, '') IN ('open', 'replaying')  -- nor by the index of all that are open
)
INSERT INTO dead_letter (order_id, stage, fingerprint, fault_kind, fault_code, fault_text,
                         attempts, crashes, amount, currency, history)
SELECT w.order_id, w.stage, concat_ws('/', w.stage, w.fault_kind, w.fault_code), w.fault_kind,
       w.fault_code, w.fault_text, w.task_attempt,
       (SELECT t.crashes FROM task t WHERE t.order_id = w.order_id AND t.stage = w.stage),
       w.total, w.currency,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('version', e.version, 'at', e.at,
                   'kind', e.kind, 'process', e.process, 'detail', e.detail)
                   ORDER BY e.version), '[]')
        FROM order_event e WHERE e.order_id = w.order_id AND e.version <= w.version)
FROM winner w WHERE w.is_dead
ON CONFLICT (order_id, stage) WHERE state IN ('open', 'replaying')
DO UPDATE SET state = 'open', fingerprint = excluded.fingerprint,
    fault_kind = excluded.fault_kind, fault_code = excluded.fault_code,
    fault_text = excluded.fault_text, attempts = excluded.attempts,
    crashes = excluded.crashes, history = excluded.history, failed_at = now()
