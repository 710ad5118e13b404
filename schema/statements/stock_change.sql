-- Sets what can be sold of a product, or adds to it (also less); never below zero, and only of what the
-- catalogue names.  The row is locked as a reservation locks it, so that none is overwritten unseen.
--   $1 who  $2 why  $3 sku  $4 pieces  $5 add?
WITH known AS MATERIALIZED (
    SELECT sku FROM product WHERE sku = $3::text
), there AS MATERIALIZED (
    SELECT n.sku, n.version AS seen FROM stock n WHERE n.sku = $3::text ORDER BY n.version DESC LIMIT 1
), made AS (
    INSERT INTO stock (sku, available)
    SELECT sku, $4::int8 FROM known WHERE $4::int8 >= 0 AND NOT EXISTS (SELECT FROM there)
    RETURNING sku, available
), moved AS (
    UPDATE stock s
    SET available = CASE WHEN $5::bool THEN s.available + $4::int8 ELSE $4::int8 END, version = s.version + 1
    FROM there t
    WHERE s.sku = t.sku AND s.version >= t.seen AND (NOT $5::bool OR s.available + $4::int8 >= 0)
      AND EXISTS (SELECT FROM known)
    RETURNING s.sku, s.available
), changed AS (
    SELECT sku, available FROM made UNION ALL SELECT sku, available FROM moved
)
SELECT EXISTS (SELECT FROM known), EXISTS (SELECT FROM changed),
       (SELECT jsonb_build_object('sku', sku, 'available', available, 'audit', audit_append(
                   $1::text, CASE WHEN $5::bool THEN 'stock add' ELSE 'stock set' END,
                   'sku ' || sku, $2::text,
                   jsonb_build_object('pieces', $4::int8, 'available', available)))
        FROM changed)::text
