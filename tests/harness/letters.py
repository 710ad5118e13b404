"""Dead letters in bulk: orders that gave up before their payment began, as a worker leaves them."""

# One order each of one piece: accepted, then on hold; its payment's task is dead and its letter open.
MAKE_LETTERS = """
WITH made AS MATERIALIZED (
    SELECT g AS n, (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0')
                    || '7' || lpad(to_hex((random() * 4095)::int), 3, '0') || '8'
                    || lpad(to_hex((random() * 65535)::int), 4, '0')
                    || lpad(to_hex(g + %(salt)s), 11, '0'))::uuid AS id
    FROM generate_series(1, %(count)s) AS g
), keys AS (
    INSERT INTO order_key (account_id, key, order_id, content_hash)
    SELECT 1, 'letter ' || id, id, sha256(id::text::bytea) FROM made
), orders_made AS (
    INSERT INTO orders (id, account_id, version, status, reason, currency, items_total,
                        shipping_total, total, shipping_method, payment_method, renderer, token_key,
                        trace)
    SELECT id, 1, 2, 8, 'needs_operator', 'EUR', 1290, 490, 1780, 'standard', %(method)s, 1, 1,
           '00-' || lpad(to_hex(n), 32, '0') || '-00f067aa0ba902b7-01'
    FROM made
), lines AS (
    INSERT INTO order_line (order_id, position, sku, name, quantity, price)
    SELECT id, 1, 'TEA-EARL-250', 'Earl Grey, 250 g', 1, 1290 FROM made
), contacts AS (
    INSERT INTO order_contact (order_id, email, name, address)
    SELECT id, 'ada@example.com', 'Ada Example', '{"line1": "1 Example Street", "country": "DE"}'
    FROM made
), events AS (
    INSERT INTO order_event (order_id, version, kind, status, process)
    SELECT id, v, CASE v WHEN 1 THEN 'accepted' ELSE 'dead_letter' END,
           CASE v WHEN 1 THEN 1 ELSE 8 END, 'test' FROM made, generate_series(1, 2) AS v
), tasks AS (
    INSERT INTO task (order_id, stage, state, attempt, fault_code)
    SELECT id, 1, 6, 8, 'provider_away' FROM made
)
INSERT INTO dead_letter (order_id, stage, fingerprint, fault_kind, fault_code, fault_text, attempts,
                         crashes, amount, currency, history)
SELECT id, 1, '1/transient/' || %(code)s, 'transient', %(code)s, 'the provider is away', 8, 0, 1780,
       'EUR', '[]'
FROM made ORDER BY id RETURNING id, order_id::text"""
salts = iter(range(1, 1 << 40, 10_000_000))


def make_letters(docket, count, method="pm_card_visa", code="provider_away"):
    """{dead letter: order's uuid} of new orders."""
    link = docket.services.connect(docket.database)
    try:
        with link, link.cursor() as cursor:
            cursor.execute(MAKE_LETTERS, {"count": count, "salt": next(salts), "method": method,
                                          "code": code})
            return dict(cursor.fetchall())
    finally:
        link.close()
