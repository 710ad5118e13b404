-- An account's quotas a minute.
--   $1 who  $2 why  $3 account  $4 whether orders change  $5 orders or NULL (as the API is set)
--   $6 whether reads change  $7 reads or NULL
WITH changed AS (
    UPDATE account
    SET quota_orders = CASE WHEN $4::bool THEN $5::int8 ELSE quota_orders END,
        quota_reads = CASE WHEN $6::bool THEN $7::int8 ELSE quota_reads END
    WHERE name = $3::text
    RETURNING name, quota_orders, quota_reads
)
SELECT jsonb_build_object('account', name, 'quota_orders', quota_orders,
                          'quota_reads', quota_reads, 'audit',
           audit_append($1::text, 'quota set', 'account ' || name, $2::text, jsonb_build_object(
               'quota_orders', quota_orders, 'quota_reads', quota_reads)))::text
FROM changed
