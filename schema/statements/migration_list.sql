-- What was applied, in order.
SELECT version, name, serves_from, checksum,
       to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
FROM migration ORDER BY version
