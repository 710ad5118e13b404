-- Makes the partitions of the next months.
--   $1 fence   $2 months ahead
SELECT make_partitions($2::int4) AS made FROM relay_lease WHERE fence = $1::int8
