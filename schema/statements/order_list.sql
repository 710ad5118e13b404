-- A page of an account's orders, newest first.  What it costs is bounded by $8, whoever owns the
-- newest orders and however rare the fitting ones are: a page may be short, even empty, and still
-- go on where it stopped looking (the row where `is_last_look` is true comes along for that, fitting
-- or not).  Ids are ordered by time, so no index but the primary key is needed.
--   $1 account  $2 ids below this  $3 ids from this  $4 statuses or NULL  $5 final or NULL
--   $6 sku or NULL  $7 most rows  $8 most orders looked at
SELECT look.id, look.fits, look.nth = $8::int8 AS is_last_look
FROM (
    SELECT seen.id, row_number() OVER () AS nth,
           seen.account_id = $1::int8
           AND ($4::int2[] IS NULL OR seen.status = ANY ($4::int2[]))
           AND ($5::bool IS NULL OR seen.final = $5::bool)
           AND ($6::text IS NULL OR coalesce((SELECT true FROM order_line line
                                              WHERE line.order_id = seen.id
                                                AND line.sku = $6::text LIMIT 1), false)) AS fits
    FROM (
        SELECT id, account_id, status, final FROM orders
        WHERE id < $2::uuid AND id >= $3::uuid
        ORDER BY id DESC LIMIT $8::int8
    ) seen
) look
WHERE look.fits OR look.nth = $8::int8
LIMIT $7::int8
