-- serves-from: 1
-- POST /v1/orders/{id}/payment_attempts: the Idempotency-Key that opened an attempt; the first one of
-- an order has none.  (Workers that are older pay with the order's first method: restart them first.)
ALTER TABLE payment_attempt ADD COLUMN request_key text NOT NULL DEFAULT '';
CREATE UNIQUE INDEX payment_attempt_request ON payment_attempt (order_id, request_key)
    WHERE request_key <> '';

GRANT INSERT ON payment_attempt TO docket_api;
