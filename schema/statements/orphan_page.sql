-- Compares intents as the provider shows them with our attempts.
--   $1 fence   $2 provider
--   intents that it knows: $3 ids   $4 orders they name, or NULL   $5 status   $6 amounts
--   $7 received   $8 currencies   $9 created (seconds since 1970)
--   intents that it does not know: $10 ids   $11 orders of their attempts, or NULL
-- One row back: is the sweep still ours, how many differences are new.
-- What a person has closed stays closed.  An intent that is canceled and took nothing is no difference, whoever made it.
WITH sweep AS (
    UPDATE orphan_sweep s SET until = now() + interval '60 seconds' WHERE s.fence = $1::int8
    RETURNING s.fence
), known AS MATERIALIZED (
    SELECT i.intent_id, i.order_id, i.status, i.amount, i.received, i.currency, i.created_s,
           CASE WHEN a.state IS NULL AND i.status = 'canceled' AND i.received = 0 THEN 0
                WHEN a.state IS NULL THEN 1
                WHEN a.state IN (3, 4, 7) AND (i.received > 0) <> (a.captured > 0) THEN 3
                ELSE 0 END::int2 AS side
    FROM unnest($3::text[], $4::uuid[], $5::text[], $6::int8[], $7::int8[], $8::text[], $9::int8[])
         AS i (intent_id, order_id, status, amount, received, currency, created_s)
    LEFT JOIN LATERAL (
        SELECT a.state, a.captured FROM payment_attempt a
        WHERE a.order_id = i.order_id AND a.intent_id = i.intent_id LIMIT 1
    ) AS a ON true
), unknown AS MATERIALIZED (
    SELECT i.intent_id, a.order_id, a.amount, a.captured, a.currency, a.opened_at
    FROM unnest($10::text[], $11::uuid[]) AS i (intent_id, order_id)
    LEFT JOIN LATERAL (
        SELECT a.order_id, a.amount, a.captured, a.currency, a.opened_at FROM payment_attempt a
        WHERE a.order_id = i.order_id AND a.intent_id = i.intent_id LIMIT 1
    ) AS a ON true
), seen AS (
    INSERT INTO orphan_seen (fence, intent_id)
    SELECT s.fence, x.intent_id
    FROM sweep s, (SELECT intent_id FROM known UNION SELECT intent_id FROM unknown) AS x
    ON CONFLICT DO NOTHING
), found AS (
    INSERT INTO orphan AS o (provider, side, intent_id, order_id, status, amount, received, currency,
                             created_at)
    SELECT $2::text, k.side, k.intent_id, k.order_id, k.status, k.amount, k.received, k.currency,
           to_timestamp(k.created_s)
    FROM sweep, known k WHERE k.side <> 0
    UNION ALL
    SELECT $2::text, 2::int2, u.intent_id, u.order_id, '', u.amount, u.captured, u.currency,
           u.opened_at
    FROM sweep, unknown u WHERE u.order_id IS NOT NULL
    ON CONFLICT (provider, side, intent_id) DO UPDATE
    SET status = excluded.status, received = excluded.received,
        found_at = CASE WHEN o.resolved_by = 'sweep' THEN now() ELSE o.found_at END,
        resolved_at = CASE WHEN o.resolved_by IN ('', 'sweep') THEN NULL ELSE o.resolved_at END,
        resolved_by = CASE WHEN o.resolved_by = 'sweep' THEN '' ELSE o.resolved_by END
    RETURNING o.found_at = now() AS is_new
), gone AS (
    UPDATE orphan o SET resolved_at = now(), resolved_by = 'sweep'
    FROM sweep, (SELECT intent_id, side FROM known
                 UNION ALL
                 SELECT intent_id, CASE WHEN order_id IS NULL THEN 0 ELSE 2 END::int2 FROM unknown)
                 AS x
    WHERE o.provider = $2::text AND o.intent_id = x.intent_id AND o.side <> x.side
      AND o.resolved_at IS NULL
)
SELECT EXISTS (SELECT FROM sweep) AS is_held, (SELECT count(*) FROM found WHERE is_new)::int4 AS new
