-- What can be ordered, if it has changed since version $1.  kind: 1 product, 2 shipping method.
SELECT c.version, item.kind, item.code, item.name, item.price, item.currency
FROM catalogue c
CROSS JOIN LATERAL (
    SELECT 1::int2 AS kind, sku AS code, name, price, currency FROM product WHERE active
    UNION ALL
    SELECT 2::int2, code, name, price, currency FROM shipping_method WHERE active
) item
WHERE c.version <> $1::int8
