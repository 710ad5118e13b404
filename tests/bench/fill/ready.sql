-- Orders that have been accepted and wait in the outbox; one in ten waits for its retry instead, due while they are worked
-- off.
INSERT INTO orders (id, account_id, currency, items_total, shipping_total, total, shipping_method,
                    payment_method, renderer, token_key, trace)
SELECT id, 1, 'EUR', 6530, 490, 7020, 'standard', 'pm_card_visa', 1, 1, trace FROM made;
INSERT INTO order_event (order_id, version, kind, status, process) SELECT id, 1, 'accepted', 1, 'api' FROM made;
INSERT INTO task (order_id, stage, state, attempt, due_at)
SELECT id, 1, CASE WHEN n %% 10 = 0 THEN 3 ELSE 1 END, (n %% 10 = 0)::int,
       CASE WHEN n %% 10 = 0 THEN to_timestamp(%(due_s)s) + random() * %(due_for_s)s * interval '1 second' END FROM made;
INSERT INTO outbox (topic, order_ids, traces)
SELECT 1, array_agg(id), array_agg(trace) FROM made WHERE n %% 10 <> 0 GROUP BY n / 100 ORDER BY n / 100;
