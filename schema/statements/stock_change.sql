-- Sets what can be sold of a product, or adds to it (also less); never below zero, and only of what the
-- catalogue names.  The row is locked as a reservation locks it, so that none is overwritten unseen.
--   $1 who  $2 why  $3 sku  $4 pieces  $5 add?
WITH known AS MATERIALIZED (
    SELECT sku FROM product WHERE sku = $3::text
), changed AS (
    INSERT INTO stock AS s (sku, available)
    SELECT sku, greatest($4::int8, 0) FROM known
    WHERE $4::int8 >= 0 OR EXISTS (SELECT FROM stock WHERE sku = $3::text)
    ON CONFLICT (sku) DO UPDATE
        SET available = CASE WHEN $5::bool THEN s.available + $4::int8 ELSE $4::int8 END
        WHERE NOT $5::bool OR s.available + $4::int8 >= 0
    RETURNING s.sku, s.available
)
SELECT EXISTS (SELECT FROM known), EXISTS (SELECT FROM changed),
       (SELECT jsonb_build_object('sku', sku, 'available', available, 'audit', audit_append(
                   $1::text, CASE WHEN $5::bool THEN 'stock add' ELSE 'stock set' END,
                   'sku ' || sku, $2::text,
                   jsonb_build_object('pieces', $4::int8, 'available', available)))
        FROM changed)::text
