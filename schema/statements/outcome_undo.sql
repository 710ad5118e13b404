-- How orders are undone, of the outcomes that outcome.sql has just written, in the same transaction.  Who
-- won there is known by its order's row, which is this transaction's own.
--   $1 order ids  $2 versions that outcome.sql expected  $3 stages
--   $4 why it is undone (0: as it is)  $5 every other task of the order is done
--   $6 refund (0: none)  $7 amount of a new one (0: it is there)  $8 its state  $9 its keys
--   $10 it is about to be sent  $11 the provider's id (NULL: as it is)  $12 process
WITH winner AS MATERIALIZED (
    SELECT c.*, o.reason
    FROM unnest($1::uuid[], $2::int4[], $3::int2[], $4::int2[], $5::bool[], $6::int2[], $7::int8[],
                $8::int2[], $9::int2[], $10::bool[], $11::text[])
         AS c (order_id, version, stage, undo, closes, refund, amount, state, keys, is_sending,
               provider_id)
    CROSS JOIN LATERAL (
        SELECT o.reason FROM orders o
        WHERE o.id = c.order_id AND o.version = c.version + 1
          AND o.xmin = pg_current_xact_id()::xid
        LIMIT 1
    ) AS o
), undone AS (
    UPDATE orders o SET undo = w.undo, undo_at = now()
    FROM winner w WHERE o.id = w.order_id AND w.undo <> 0
), closed AS (
    UPDATE task t SET state = 5, worker_id = NULL, due_at = NULL, parked_at = NULL
    FROM winner w
    WHERE w.closes AND t.order_id = w.order_id AND t.stage <> w.stage AND t.state <> 5
), resolved AS (
    UPDATE dead_letter d SET state = 'resolved', closed_at = now()
    FROM winner w
    WHERE w.closes AND d.order_id = ANY (ARRAY[w.order_id]) AND d.stage <> w.stage
      AND coalesce(d.state, '') IN ('open', 'replaying')
), opened AS (
    INSERT INTO refund (order_id, number, attempt, provider, intent_id, amount, currency, state, keys,
                        actor, reason)
    SELECT w.order_id, w.refund, p.number, p.provider, p.intent_id, w.amount, p.currency, w.state,
           w.keys, $12::text, w.reason
    FROM winner w CROSS JOIN LATERAL (
        SELECT p.number, p.provider, p.intent_id, p.currency FROM payment_attempt p
        WHERE p.order_id = w.order_id AND p.captured > 0 ORDER BY p.number DESC LIMIT 1
    ) AS p
    WHERE w.amount > 0
)
UPDATE refund r
SET state = w.state, keys = w.keys, provider_id = coalesce(w.provider_id, r.provider_id),
    sent_at = CASE WHEN w.is_sending THEN clock_timestamp() ELSE r.sent_at END,
    unknown_since = CASE WHEN w.state = 4 THEN coalesce(r.unknown_since, clock_timestamp())
                         WHEN w.state = 2 THEN r.unknown_since END,
    ended_at = CASE WHEN w.state IN (5, 6) THEN clock_timestamp() END
FROM winner w
WHERE w.refund <> 0 AND w.amount = 0 AND r.order_id = w.order_id AND r.number = w.refund
