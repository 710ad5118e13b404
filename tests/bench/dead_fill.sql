-- Fills dead_letter with :letters rows, as a bad month would: 40 causes of very different size, a
-- tenth still open, orders of one to three lines out of 200 skus, one in 100,000 dear.  The triggers
-- are off meanwhile (they are for statements of hundreds of rows), and what they keep is made at the end.
\set ON_ERROR_STOP on
BEGIN;
ALTER TABLE dead_letter DISABLE TRIGGER USER;
WITH cause AS MATERIALIZED (
    SELECT cause, stage, kind, code, dead_fingerprint(stage, kind, code, said) AS fingerprint, said
    FROM generate_series(0, 40) AS cause CROSS JOIN LATERAL (
        SELECT (1 + (cause % 3 = 0)::int)::int2 AS stage,
               CASE WHEN cause % 4 = 0 THEN 'transient' ELSE 'broken' END AS kind,
               CASE WHEN cause = 0 THEN 'provider_500' ELSE format('cause_%sx', cause) END AS code,
               'the provider answered confirm with 500: request 1' AS said) AS c
)
INSERT INTO dead_letter (order_id, stage, fingerprint, fault_kind, fault_code, fault_text, attempts,
                         crashes, amount, currency, history, state, created_at, failed_at)
SELECT gen_random_uuid(), stage, fingerprint, kind, code,
       said || n || CASE WHEN n % 1000 = 0 THEN ' timed out' ELSE '' END,
       CASE WHEN n % 50000 = 0 THEN 30 ELSE 1 + n % 12 END, n % 3,
       CASE WHEN n % 100000 = 0 THEN 900000 ELSE 500 + n * 7919 % 20000 END,
       CASE WHEN n % 7 = 0 THEN 'USD' ELSE 'EUR' END,
       '[{"at": "2026-11-24T22:00:00Z", "kind": "accepted", "version": 1}]',
       CASE WHEN :all_open OR n % 10 = 3 THEN 'open' WHEN n % 97 = 0 THEN 'discarded'
            ELSE 'resolved' END,
       now() - (:letters - n) * interval '500 ms', now() - (:letters - n) * interval '500 ms'
FROM generate_series(1::bigint, :letters) AS n
JOIN cause ON cause.cause = (40 * power(n * 7907 % 10007 / 10007.0::float8, 4))::int;
INSERT INTO dead_letter_sku (letter, sku, state, created_at)
SELECT DISTINCT id, 'SKU-' || (CASE WHEN k = 1 THEN id % 5 ELSE id * 31 % 200 END), state, created_at
FROM dead_letter CROSS JOIN generate_series(1, 3) AS k WHERE k <= 1 + id % 3;
INSERT INTO incident (fingerprint, currency, stage, fault_kind, fault_code, pattern, open, replaying,
                      resolved, discarded, at_risk, first_at, last_at)
SELECT fingerprint, currency, min(stage), min(fault_kind), min(fault_code),
       dead_pattern(min(fault_code), min(fault_text)),
       count(*) FILTER (WHERE state = 'open'), count(*) FILTER (WHERE state = 'replaying'),
       count(*) FILTER (WHERE state = 'resolved'), count(*) FILTER (WHERE state = 'discarded'),
       coalesce(sum(amount) FILTER (WHERE state IN ('open', 'replaying')), 0),
       min(created_at), max(failed_at)
FROM dead_letter GROUP BY fingerprint, currency;
ALTER TABLE dead_letter ENABLE TRIGGER USER;
COMMIT;
VACUUM (ANALYZE) dead_letter, dead_letter_sku, incident;
