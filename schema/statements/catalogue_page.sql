-- Products with what of each can be sold, in the order of their skus, and (on the first page) the
-- shipping methods.
--   $1 after this sku  $2 how many at most  $3 this sku only, or NULL
SELECT jsonb_build_object(
    'products', (SELECT coalesce(jsonb_agg(jsonb_build_object('sku', p.sku, 'name', p.name,
                            'amount', p.price, 'currency', p.currency, 'active', p.active,
                            'available', s.available) ORDER BY p.sku), '[]')
                 FROM (SELECT sku, name, price, currency, active FROM product
                       WHERE sku > $1::text AND ($3::text IS NULL OR sku = $3::text)
                       ORDER BY sku LIMIT $2::int4) AS p
                 LEFT JOIN LATERAL (
                     SELECT available FROM stock WHERE sku = p.sku ORDER BY version DESC LIMIT 1
                 ) AS s ON true),
    'shipping_methods', (SELECT coalesce(jsonb_agg(jsonb_build_object('code', code, 'name', name,
                                    'amount', price, 'currency', currency, 'active', active)
                                    ORDER BY code), '[]')
                         FROM shipping_method WHERE $1::text = '' AND $3::text IS NULL))::text
