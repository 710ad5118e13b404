-- What is to be done next so that a month that goes is quickly looked at again; no row: nothing.
--   $1 "2026-01"
SELECT step, place, statement FROM month_index_step(to_date($1::text, 'YYYY-MM'))
