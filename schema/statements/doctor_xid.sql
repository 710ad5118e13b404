-- docket doctor: how far the cluster is from the wraparound of transaction ids, at 2^31.
SELECT 'postgres.xid_age',
       CASE WHEN age > 1800000000 THEN 'fail' WHEN age > 1000000000 THEN 'warn' ELSE 'ok' END,
       'the oldest unfrozen row is ' || age || ' transactions old (database ' || datname || ')',
       'end what holds vacuum up (postgres.transactions, postgres.slots), then VACUUM (FREEZE) there'
FROM (SELECT age(datfrozenxid) AS age, datname FROM pg_database ORDER BY 1 DESC LIMIT 1) AS oldest
