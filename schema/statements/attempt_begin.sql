-- Opens the first payment attempt of orders whose stock is held now (queue/begin.h).
--   $1 order ids  $2 payment methods  $3 amounts  $4 currencies  $5 number  $6 state  $7 provider
-- An order that costs nothing has none.
-- of one month: also on the own tables of the month that all of the batch is of (schema/month.h).
INSERT INTO payment_attempt (order_id, number, state, provider, method, amount, currency)
SELECT order_id, $5::int2, $6::int2, $7::text, method, amount, currency
FROM unnest($1::uuid[], $2::text[], $3::int8[], $4::text[]) AS w (order_id, method, amount, currency)
WHERE amount > 0
