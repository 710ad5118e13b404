-- The months that are there, oldest first: is it half gone, its bytes, is it older than what is kept.
--   $1 whole months that are kept besides the present one; 0: all are
SELECT to_char(month, 'YYYY-MM') AS month, is_going, bytes,
       is_going OR ($1::int4 > 0 AND month < (date_trunc('month', now() AT TIME ZONE 'UTC')
                                              - make_interval(months => $1::int4))::date) AS is_due
FROM month_list()
ORDER BY 1
