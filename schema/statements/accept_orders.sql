-- Takes the keys of a batch of orders, stores the orders whose keys were free, and returns the ids of
-- these.  A key or a cart that is taken already is passed over without a fault, whichever of the two
-- constraints says so; who has it is found by intake_lookup in a transaction of its own, since what was
-- committed meanwhile is not seen here.  In the order of the keys, so that two processes seldom wait for each
-- other crosswise.  Ids are made anew for each sending.  The message comes last: its number is drawn when
-- the transaction has an xid.  (A line says which order of the batch it is of, and is stored if that one is.)
--   an order:  $1 account ids  $2 keys  $3 carts or NULL  $4 order ids  $5 content hashes
--              $6 currencies  $7 items totals  $8 shipping totals  $9 shipping methods
--              $10 payment methods  $11 traces  $12 metadata or NULL  $13 emails  $14 names  $15 addresses
--   a line:    $16 which order, from 1  $17 positions  $18 skus  $19 names  $20 quantities  $21 prices
--   of all:    $22 renderer  $23 token key
-- of one month: also on the own tables of the month that all of the batch is of (schema/month.h).
WITH taken AS (
    INSERT INTO order_key (account_id, key, cart, order_id, content_hash)
    SELECT account_id, key, cart, order_id, content_hash
    FROM unnest($1::int8[], $2::text[], $3::text[], $4::uuid[], $5::bytea[])
         AS batch(account_id, key, cart, order_id, content_hash)
    ORDER BY account_id, key
    ON CONFLICT DO NOTHING
    RETURNING order_id
), checked AS MATERIALIZED (
    SELECT batch.*, id = ANY ((SELECT array_agg(order_id) FROM taken)::uuid[]) AS is_ours
    FROM unnest($1::int8[], $4::uuid[], $6::text[], $7::int8[], $8::int8[], $9::text[], $10::text[],
                $11::text[], $12::text[], $13::text[], $14::text[], $15::text[])
         WITH ORDINALITY AS batch(account_id, id, currency, items_total, shipping_total,
                                  shipping_method, payment_method, trace, metadata, email, name,
                                  address, number)
), won AS (
    SELECT * FROM checked WHERE is_ours
), stored AS (
    INSERT INTO orders (id, account_id, currency, items_total, shipping_total, total,
                        shipping_method, payment_method, renderer, token_key, trace, metadata)
    SELECT id, account_id, currency, items_total, shipping_total, items_total + shipping_total,
           shipping_method, payment_method, $22::int2, $23::int2, trace, metadata::jsonb
    FROM won
    RETURNING id, trace
), lines AS (
    INSERT INTO order_line (order_id, position, sku, name, quantity, price)
    SELECT ($4::uuid[])[line.number], line.position, line.sku, line.name, line.quantity, line.price
    FROM unnest($16::int4[], $17::int2[], $18::text[], $19::text[], $20::int4[], $21::int8[])
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
RETURNING order_ids
