-- Stores the orders of a batch whose keys were taken a statement ago: the others find another order's
-- id under their key, or none.  Ids are made anew for each sending, so an id that is there is ours, of
-- this transaction.  The message comes last: its number is drawn when the transaction has an xid.
-- (LATERAL … LIMIT: one probe of the index a row, whatever the planner believes of a table that was
-- empty a minute ago.  A line says which order of the batch it is of, and is stored if that one is:
-- two look-ups in arrays instead of a probe a line.)
--   an order:  $1 account ids  $2 keys  $3 order ids  $4 currencies  $5 items totals
--              $6 shipping totals  $7 shipping methods  $8 payment methods  $9 traces
--              $10 metadata or NULL  $11 emails  $12 names  $13 addresses
--   a line:    $14 which order, from 1  $15 positions  $16 skus  $17 names  $18 quantities  $19 prices
--   of all:    $20 renderer  $21 token key
-- of one month: also on the own tables of the month that all of the batch is of (schema/month.h).
WITH checked AS MATERIALIZED (
    SELECT batch.*, ours.id IS NOT NULL AS is_ours
    FROM unnest($1::int8[], $2::text[], $3::uuid[], $4::text[], $5::int8[], $6::int8[], $7::text[],
                $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[])
         WITH ORDINALITY AS batch(account_id, key, id, currency, items_total, shipping_total,
                                  shipping_method, payment_method, trace, metadata, email, name,
                                  address, number)
    LEFT JOIN LATERAL (
        SELECT taken.order_id AS id FROM order_key taken
        WHERE taken.account_id = batch.account_id AND taken.key = batch.key
          AND taken.order_id = batch.id LIMIT 1
    ) ours ON true
), won AS (
    SELECT * FROM checked WHERE is_ours
), stored AS (
    INSERT INTO orders (id, account_id, currency, items_total, shipping_total, total,
                        shipping_method, payment_method, renderer, token_key, trace, metadata)
    SELECT id, account_id, currency, items_total, shipping_total, items_total + shipping_total,
           shipping_method, payment_method, $20::int2, $21::int2, trace, metadata::jsonb
    FROM won
    RETURNING id, trace
), lines AS (
    INSERT INTO order_line (order_id, position, sku, name, quantity, price)
    SELECT ($3::uuid[])[line.number], line.position, line.sku, line.name, line.quantity, line.price
    FROM unnest($14::int4[], $15::int2[], $16::text[], $17::text[], $18::int4[], $19::int8[])
         AS line(number, position, sku, name, quantity, price)
    WHERE (SELECT array_agg(is_ours ORDER BY number) FROM checked)[line.number]
), contacts AS (
    INSERT INTO order_contact (order_id, email, name, address)
    SELECT id, email, name, address::jsonb FROM won
), events AS (
    INSERT INTO order_event (order_id, version, kind, status, process)
    SELECT id, 1, 'accepted', 1, 'api' FROM won
), tasks AS (
    INSERT INTO task (order_id, stage) SELECT id, 1 FROM won
)
INSERT INTO outbox (topic, order_ids, traces)
SELECT 1, array_agg(id), array_agg(trace)
FROM (SELECT id, trace, (row_number() OVER () - 1) / 100 AS part FROM stored) AS numbered
GROUP BY part
