-- Takes the keys of a batch of orders.  A key or a cart that is taken already is passed over without
-- a fault, whichever of the two constraints says so; who took it is found by intake_lookup.  In the order
-- of the keys, so that two processes seldom wait for each other crosswise.
--   $1 account ids  $2 keys  $3 carts or NULL  $4 order ids  $5 content hashes
INSERT INTO order_key (account_id, key, cart, order_id, content_hash)
SELECT account_id, key, cart, order_id, content_hash
FROM unnest($1::int8[], $2::text[], $3::text[], $4::uuid[], $5::bytea[])
     AS batch(account_id, key, cart, order_id, content_hash)
ORDER BY account_id, key
ON CONFLICT DO NOTHING
