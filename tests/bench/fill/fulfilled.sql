-- Orders that went well, as the workers leave them.
INSERT INTO orders (id, account_id, version, status, final, currency, items_total, shipping_total, total,
                    shipping_method, payment_method, renderer, token_key, trace)
SELECT id, 1, 7, 4, true, 'EUR', 6530, 490, 7020, 'standard', 'pm_card_visa', 1, 1, trace FROM made;
INSERT INTO order_event (order_id, version, kind, status, process)
SELECT id, version, kind, status, process
FROM made, (VALUES (1, 'accepted', 1, 'api'), (2, 'payment_started', 2, 'payment'),
                   (3, 'stock_reserved', 2, 'payment'), (4, 'payment_sent', 2, 'payment'),
                   (5, 'paid', 3, 'payment'), (6, 'fulfilment_started', 3, 'fulfilment'),
                   (7, 'shipped', 4, 'fulfilment')) AS event (version, kind, status, process);
INSERT INTO task (order_id, stage, state, fence) SELECT id, stage, 5, 1 FROM made, generate_series(1, 2) AS stage;
INSERT INTO payment_attempt (order_id, number, state, provider, method, amount, currency, intent_id, confirms,
                             sent_at, captured)
SELECT id, 1, 3, 'stripe', 'pm_card_visa', 7020, 'EUR', 'pi_' || md5(key), 1, now(), 7020 FROM made;
INSERT INTO reservation (order_id, sku, quantity, state)
SELECT id, sku, quantity, 2 FROM made, (VALUES ('TEA-EARL-250', 2), ('POT-STONE-1L', 1)) AS line (sku, quantity);
INSERT INTO shipment (order_id, reference, carrier_id, tracking) SELECT id, id::text, 'shp_' || n, 'TRK' || n FROM made;
