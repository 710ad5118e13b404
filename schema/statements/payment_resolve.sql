-- Settles a payment by what an operator knows (payment_resolve() in migration 0013).
--   $1 who   $2 why   $3 order   $4 what became of it: 1 captured, 2 declined, 3 canceled   $5 evidence
SELECT r.outcome,
       jsonb_build_object('order', $3::uuid, 'attempt', r.number, 'version', r.version,
                          'as', (ARRAY['captured', 'declined', 'canceled'])[$4::int2],
                          'audit', r.audit)::text
FROM payment_resolve($3::uuid, $1::text, $2::text, $4::int2, $5::text) AS r
