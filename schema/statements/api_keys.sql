-- Every key that is valid now, and the quotas of its account: the API keeps them in memory.
SELECT k.id, k.account_id, k.hash, k.scopes @> ARRAY['checkout'],
       k.scopes @> ARRAY['orders:read'], k.scopes @> ARRAY['operator'], k.name,
       a.quota_orders, a.quota_reads
FROM api_key k JOIN account a ON a.id = k.account_id
WHERE k.revoked_at IS NULL
