-- serves-from: 1
-- How many new orders and reads an account may make a minute: NULL takes the setting of the API
-- (DOCKET_QUOTA_ORDERS, DOCKET_QUOTA_READS), 0 is no quota.
ALTER TABLE account
    ADD COLUMN quota_orders integer CHECK (quota_orders BETWEEN 0 AND 10000000),
    ADD COLUMN quota_reads  integer CHECK (quota_reads BETWEEN 0 AND 10000000);
