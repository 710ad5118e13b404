-- Orders to be: ids, so many for each millisecond up to the newest, and random keys; what is the same for each of them, whatever
-- has become of it.
CREATE TEMP TABLE made AS
SELECT n, md5('key' || key) AS key, (lpad(to_hex(ms), 12, '0') || '7' || substr(hash, 1, 3) || '8' || substr(hash, 4, 15))::uuid AS id,
       '00-' || md5(key) || '-00f067aa0ba902b7-01' AS trace
FROM (SELECT n, 'fill-' || %(salt)s || '-' || n AS key, md5(%(salt)s || '/' || n) AS hash,
             %(newest_ms)s - (%(count)s - n) / %(per_ms)s AS ms
      FROM generate_series(1, %(count)s) AS n) AS x;
INSERT INTO order_key (account_id, key, order_id, content_hash)
SELECT 1, key, id, sha256(convert_to(key, 'UTF8')) FROM made;
INSERT INTO order_line (order_id, position, sku, name, quantity, price)
SELECT id, position, sku, name, quantity, price
FROM made, (VALUES (0::smallint, 'TEA-EARL-250', 'Earl Grey, 250 g', 2, 1290),
                   (1::smallint, 'POT-STONE-1L', 'Stoneware pot, 1 l', 1, 3950))
           AS line (position, sku, name, quantity, price);
INSERT INTO order_contact (order_id, email, name, address)
SELECT id, 'ada+' || %(salt)s || '.' || n || '@example.com', 'Ada Example',
       '{"line1": "1 Example Street", "city": "Exampletown", "postal_code": "12345", "country": "DE"}'
FROM made;
