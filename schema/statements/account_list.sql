-- All accounts: their quotas a minute (null: as the API is set), and how many keys are valid.
SELECT jsonb_build_object('accounts', coalesce(jsonb_agg(jsonb_build_object(
           'id', a.id, 'account', a.name, 'quota_orders', a.quota_orders,
           'quota_reads', a.quota_reads, 'created_at', a.created_at,
           'keys', (SELECT count(*) FROM api_key k
                    WHERE k.account_id = a.id AND k.revoked_at IS NULL)) ORDER BY a.name), '[]'))::text
FROM account a
