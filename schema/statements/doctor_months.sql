-- docket doctor: which months are older than is to be kept, and what holds each of them?
--   $1 whole months that are kept besides the present one; 0: all
WITH old AS (
    SELECT m.month FROM month_list() AS m
    WHERE $1::int8 > 0
      AND m.month < date_trunc('month', now() AT TIME ZONE 'UTC') - make_interval(months => $1::int4)
), held AS (
    SELECT o.month, h.what, h.orders, h.example
    FROM old o CROSS JOIN LATERAL month_holds(o.month) AS h
)
SELECT 'schema.months', 'warn',
       'month ' || to_char(month, 'YYYY-MM') || ' is to go and is held by ' || orders || ' orders with '
           || what,
       'docket order show ' || example || ' says why (docket migrate months lists them all)'
FROM held
UNION ALL
SELECT 'schema.months', 'warn', 'month ' || to_char(month, 'YYYY-MM') || ' is to go, and nothing holds it',
       'docket migrate retire'
FROM old WHERE month NOT IN (SELECT month FROM held)
UNION ALL
SELECT 'schema.months', 'ok', 'no month is older than is to be kept', ''
WHERE $1::int8 > 0 AND NOT EXISTS (SELECT FROM old)
