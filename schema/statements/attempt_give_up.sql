-- The customer does not do what the provider asks for and wants to pay otherwise: whoever works on the order
-- is overtaken, and the payment is taken up at once to be canceled at the provider.  A payment that is
-- parked waits for the provider, as before.
--   $1 order id   $2 version that was judged   $3 number of the attempt   $4 process
-- ANY (ARRAY[…]), + 0: as in claim.sql.
-- One row back if it stands: the order's new version.
WITH won AS (
    UPDATE orders o SET version = o.version + 1, updated_at = now()
    WHERE o.id = $1::uuid AND o.version = $2::int4 AND o.status = 5
    RETURNING o.id, o.version, o.status, o.trace
), given_up AS (
    UPDATE payment_attempt p SET given_up = true
    FROM won w WHERE p.order_id = ANY (ARRAY[w.id]) AND p.number + 0 = $3::int2
), told AS (
    INSERT INTO order_event (order_id, version, kind, status, process, detail)
    SELECT id, version, 'payment_given_up', status, $4::text, jsonb_build_object('attempt', $3::int2)
    FROM won
), woken AS (
    UPDATE task t SET state = 1, due_at = NULL
    FROM won w WHERE t.order_id = ANY (ARRAY[w.id]) AND t.stage + 0 = 1 AND t.state = 3
    RETURNING t.order_id
), published AS (
    INSERT INTO outbox (topic, order_ids, traces)
    SELECT 1, ARRAY[w.id], ARRAY[w.trace] FROM won w JOIN woken k ON k.order_id = w.id
)
SELECT version FROM won
