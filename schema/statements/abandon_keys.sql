-- Writes the tombstones of a batch of keys: no order can arise from them any more.  A key that has an
-- order keeps it.
--   $1 account ids  $2 keys
INSERT INTO order_key (account_id, key, order_id, content_hash)
SELECT account_id, key, NULL, '' FROM unnest($1::int8[], $2::text[]) AS batch(account_id, key)
ORDER BY account_id, key
ON CONFLICT DO NOTHING
