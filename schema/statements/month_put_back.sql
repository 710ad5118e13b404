-- The month's orders are reachable again.
--   $1 "2026-01"
SELECT month_put_back(to_date($1::text, 'YYYY-MM'))
