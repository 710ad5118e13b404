-- What is to be done next about a month that goes; no row: it is gone.
--   $1 "2026-01"
SELECT step, place, statement, place = month_table('orders', to_date($1::text, 'YYYY-MM')) AS is_orders
FROM month_step(to_date($1::text, 'YYYY-MM'))
