-- Adds products, stock and shipping methods, or puts them in the place of those with the same code.
--   products:  $1 skus  $2 names  $3 prices  $4 currencies  $5 active?  $6 stock or NULL: as it is
--   methods:   $7 codes  $8 names  $9 prices  $10 currencies  $11 active?
WITH sold AS (
    INSERT INTO product (sku, name, price, currency, active)
    SELECT sku, name, price, currency, active
    FROM unnest($1::text[], $2::text[], $3::int8[], $4::text[], $5::bool[])
        AS item(sku, name, price, currency, active) ORDER BY sku
    ON CONFLICT (sku) DO UPDATE SET name = excluded.name, price = excluded.price,
        currency = excluded.currency, active = excluded.active
    RETURNING sku
), stocked AS (
    INSERT INTO stock (sku, available)
    SELECT sku, coalesce(available, 0)
    FROM unnest($1::text[], $6::int8[]) AS item(sku, available)
    WHERE available IS NOT NULL ORDER BY sku
    ON CONFLICT (sku) DO UPDATE SET available = excluded.available
), shipped AS (
    INSERT INTO shipping_method (code, name, price, currency, active)
    SELECT code, name, price, currency, active
    FROM unnest($7::text[], $8::text[], $9::int8[], $10::text[], $11::bool[])
        AS item(code, name, price, currency, active) ORDER BY code
    ON CONFLICT (code) DO UPDATE SET name = excluded.name, price = excluded.price,
        currency = excluded.currency, active = excluded.active
    RETURNING code
)
SELECT (SELECT count(*) FROM sold), (SELECT count(*) FROM shipped)
