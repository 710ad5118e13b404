-- After a restore: intents that name an order of ours whose attempt is missing become its attempt, so
-- that the payment goes on with them and asks for no second one.  Only while the stage's queue is
-- paused, and only what no worker holds.
--   $1 fence   $2 provider   $3 process   $4 stage   $5 orders at most
-- One row back: is the sweep still ours, how many were adopted.
-- Of several intents the one that has taken money, or else the newest.
-- While it waited for one order, another may have got an intent that this statement's snapshot does not
-- show: ON CONFLICT sees the newest row, and only what it wrote is adopted.
WITH sweep AS (
    UPDATE orphan_sweep s SET until = now() + interval '60 seconds' WHERE s.fence = $1::int8
    RETURNING s.fence
), wanted AS MATERIALIZED (
    SELECT DISTINCT ON (o.order_id) o.id, o.order_id, o.intent_id, o.created_at
    FROM orphan o, sweep
    WHERE o.resolved_at IS NULL AND o.provider = $2::text AND o.side = 1 AND o.order_id IS NOT NULL
      AND EXISTS (SELECT FROM breaker b WHERE b.stage = $4::int2 AND b.is_queue AND b.held)
    ORDER BY o.order_id, o.received DESC, o.created_at DESC
), locked AS MATERIALIZED (
    SELECT w.id AS orphan, w.intent_id, w.created_at, o.id, o.version, o.status, o.payment_method,
           o.total, o.currency
    FROM wanted w
    JOIN orders o ON o.id = w.order_id
    WHERE o.total > 0
    ORDER BY o.id
    LIMIT $5::int4
    FOR UPDATE OF o
), missing AS MATERIALIZED (
    SELECT l.orphan, l.intent_id, l.created_at, l.id, l.version, l.status, l.payment_method, l.total,
           l.currency
    FROM locked l
    WHERE EXISTS (SELECT FROM task t WHERE t.order_id = l.id AND t.stage = $4::int2
                  AND (t.state IN (1, 3, 4) OR t.state = 2 AND worker_gone(t.worker_id)))
      AND NOT EXISTS (SELECT FROM payment_attempt a
                      WHERE a.order_id = l.id AND (a.intent_id <> '' OR a.state <> 1))
), opened AS (
    INSERT INTO payment_attempt (order_id, number, state, provider, method, amount, currency,
                                 intent_id, opened_at)
    SELECT id, 1, 1, $2::text, payment_method, total, currency, intent_id, created_at FROM missing
    ON CONFLICT (order_id, number) DO UPDATE SET intent_id = excluded.intent_id
        WHERE payment_attempt.intent_id = '' AND payment_attempt.state = 1
    RETURNING order_id
), adopted AS (
    SELECT m.orphan, m.intent_id, m.id, m.version, m.status
    FROM missing m JOIN opened p ON p.order_id = m.id
), moved AS (
    UPDATE orders o SET version = a.version + 1, updated_at = now() FROM adopted a WHERE o.id = a.id
), happened AS (
    INSERT INTO order_event (order_id, version, kind, status, process, detail)
    SELECT id, version + 1, 'intent_adopted', status, $3::text,
           jsonb_build_object('stage', $4::int2, 'intent', intent_id)
    FROM adopted
), resolved AS (
    UPDATE orphan o SET resolved_at = now(), resolved_by = 'sweep'
    FROM adopted a WHERE o.id = a.orphan
)
SELECT EXISTS (SELECT FROM sweep) AS is_held, (SELECT count(*) FROM adopted)::int4 AS adopted
