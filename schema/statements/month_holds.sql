-- What holds a month back: what, how many orders (up to 1,000), the first of them.
--   $1 "2026-01"
SELECT what, orders, example FROM month_holds(to_date($1::text, 'YYYY-MM'))
