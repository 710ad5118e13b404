-- Opens the payment attempts of the outcomes that outcome.sql has just written, in the same transaction, where the
-- order's first claim has not (queue/begin.h).  Who won there is known by its order's row, which is this
-- transaction's own.
--   $1 order ids  $2 versions that outcome.sql expected  $3 numbers  $4 states  $5 intents (NULL: none yet)
--   $6 confirms  $7 provider
-- An order that costs nothing has none.
INSERT INTO payment_attempt (order_id, number, state, provider, method, amount, currency, intent_id, confirms)
SELECT w.order_id, w.number, w.state, $7::text, o.payment_method, o.total, o.currency,
       coalesce(w.intent_id, ''), w.confirms
FROM unnest($1::uuid[], $2::int4[], $3::int2[], $4::int2[], $5::text[], $6::int2[])
     AS w (order_id, version, number, state, intent_id, confirms)
CROSS JOIN LATERAL (
    SELECT o.payment_method, o.total, o.currency FROM orders o
    WHERE o.id = w.order_id AND o.version = w.version + 1 AND o.xmin = pg_current_xact_id()::xid
    LIMIT 1
) AS o
WHERE o.total > 0
ON CONFLICT (order_id, number) DO NOTHING
