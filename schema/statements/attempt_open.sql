-- Opens the next payment attempt of an order that is still at the version that was judged
-- (order_pay_again): it is paid anew from the reservation of its stock on.
--   $1 order id   $2 version   $3 number of the attempt   $4 payment method   $5 key   $6 process
-- ANY (ARRAY[…]), + 0: as in claim.sql.
-- One row back if it is open: the order's new version.
WITH won AS (
    UPDATE orders o SET version = o.version + 1, status = 2, reason = '', updated_at = now()
    WHERE o.id = $1::uuid AND o.version = $2::int4 AND o.status = 6
    RETURNING o.id, o.version, o.status, o.trace, o.total, o.currency
), opened AS (
    INSERT INTO payment_attempt (order_id, number, state, provider, method, amount, currency,
                                 request_key)
    SELECT w.id, $3::int2, 1, p.provider, $4::text, w.total, w.currency, $5::text
    FROM won w JOIN payment_attempt p ON p.order_id = ANY (ARRAY[w.id]) AND p.number + 0 = $3::int2 - 1
), told AS (
    INSERT INTO order_event (order_id, version, kind, status, process, detail)
    SELECT id, version, 'payment_attempt_opened', status, $6::text,
           jsonb_build_object('attempt', $3::int2)
    FROM won
), woken AS (
    UPDATE task t
    SET state = 1, attempt = 0, doubted = 0, crashes = 0, sweeps = 0, worker_id = NULL,
        due_at = NULL, parked_at = NULL, fault_kind = '', fault_code = '', fault_text = ''
    FROM won w WHERE t.order_id = ANY (ARRAY[w.id]) AND t.stage + 0 = 1
), published AS (
    INSERT INTO outbox (topic, order_ids, traces) SELECT 1, ARRAY[id], ARRAY[trace] FROM won
)
SELECT version FROM won
