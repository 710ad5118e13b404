-- Orders whose payment waits parked, since the provider was away when it began: it was claimed once, and held back.
INSERT INTO orders (id, account_id, version, status, reason, currency, items_total, shipping_total, total, shipping_method,
                    payment_method, renderer, token_key, trace)
SELECT id, 1, 3, 2, 'provider_unavailable', 'EUR', 6530, 490, 7020, 'standard', 'pm_card_visa', 1, 1, trace FROM made;
INSERT INTO order_event (order_id, version, kind, status, process)
SELECT id, version, kind, status, process
FROM made, (VALUES (1, 'accepted', 1::smallint, 'api'), (2, 'payment_started', 2::smallint, 'payment'),
                   (3, 'parked', 2::smallint, 'payment')) AS event (version, kind, status, process);
INSERT INTO task (order_id, stage, state, parked_at, fault_kind, fault_code)
SELECT id, 1, 4, now(), 'transient', 'provider_unavailable' FROM made;
