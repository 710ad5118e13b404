-- Adds products, stock and shipping methods, or puts them in the place of those with the same code.
--   $1 who  $2 why
--   products:  $3 skus  $4 names  $5 prices  $6 currencies  $7 active?  $8 stock or NULL: as it is
--   methods:   $9 codes  $10 names  $11 prices  $12 currencies  $13 active?
WITH sold AS (
    INSERT INTO product (sku, name, price, currency, active)
    SELECT sku, name, price, currency, active
    FROM unnest($3::text[], $4::text[], $5::int8[], $6::text[], $7::bool[])
        AS item(sku, name, price, currency, active) ORDER BY sku
    ON CONFLICT (sku) DO UPDATE SET name = excluded.name, price = excluded.price,
        currency = excluded.currency, active = excluded.active
    RETURNING sku
), counted AS MATERIALIZED (
    SELECT item.sku, item.available, (SELECT max(n.version) FROM stock n WHERE n.sku = item.sku) AS seen
    FROM unnest($3::text[], $8::int8[]) AS item(sku, available)
    WHERE item.available IS NOT NULL ORDER BY item.sku
), stocked AS (
    INSERT INTO stock (sku, available) SELECT sku, available FROM counted WHERE seen IS NULL
), locked AS MATERIALIZED (
    SELECT c.sku, c.available, c.seen
    FROM (SELECT sku, available, seen FROM counted WHERE seen IS NOT NULL ORDER BY sku
          LIMIT cardinality($3::text[])) AS c  -- as in stock_take.sql
    CROSS JOIN LATERAL (
        SELECT FROM stock s WHERE s.sku = c.sku ORDER BY s.version DESC LIMIT 1 FOR UPDATE
    ) AS s
), restocked AS (
    UPDATE stock s SET available = l.available, version = s.version + 1
    FROM locked l WHERE s.sku = l.sku AND s.version >= l.seen
), shipped AS (
    INSERT INTO shipping_method (code, name, price, currency, active)
    SELECT code, name, price, currency, active
    FROM unnest($9::text[], $10::text[], $11::int8[], $12::text[], $13::bool[])
        AS item(code, name, price, currency, active) ORDER BY code
    ON CONFLICT (code) DO UPDATE SET name = excluded.name, price = excluded.price,
        currency = excluded.currency, active = excluded.active
    RETURNING code
)
SELECT products, methods,
       audit_append($1::text, 'catalogue load', 'catalogue', $2::text,
                    jsonb_build_object('products', products, 'shipping_methods', methods))
FROM (SELECT (SELECT count(*) FROM sold) AS products,
             (SELECT count(*) FROM shipped) AS methods) AS loaded
