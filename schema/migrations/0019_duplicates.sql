-- serves-from: 1
-- Orders that look like one another: same customer, lines and total, another cart and key.

-- What an order is about.  NULL: its contact was erased.
CREATE FUNCTION order_print(wanted uuid) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(convert_to(concat_ws(E'\n', o.account_id, lower(btrim(c.email)), o.currency, o.total,
                                       l.lines), 'UTF8'))
    FROM orders o
    JOIN order_contact c ON c.order_id = o.id
    CROSS JOIN LATERAL (
        SELECT string_agg(n.sku || ' ' || n.quantity, E'\n' ORDER BY n.sku) AS lines
        FROM order_line n WHERE n.order_id = o.id
    ) AS l
    WHERE o.id = wanted
$$;

-- The prints of the orders whose payment has begun within the last hours: written by the payment's
-- worker, so that to accept an order costs nothing more.
CREATE TABLE order_print (
    print    bytea NOT NULL,
    order_id uuid NOT NULL,
    at       timestamptz NOT NULL,       -- when it was accepted
    PRIMARY KEY (print, order_id)
);
CREATE INDEX order_print_order ON order_print (order_id);

-- An order that looks like an earlier one: few.
CREATE TABLE duplicate (
    order_id    uuid PRIMARY KEY,
    of_order    uuid NOT NULL,
    found_at    timestamptz NOT NULL DEFAULT now(),
    released_at timestamptz               -- an operator has said that it is meant
);

GRANT SELECT, INSERT ON order_print, duplicate TO docket_worker;
GRANT SELECT, DELETE ON order_print TO docket_relay;
GRANT SELECT, UPDATE ON duplicate TO docket_api;
