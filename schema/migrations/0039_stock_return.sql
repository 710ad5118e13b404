-- serves-from: 1
-- Gives back the stock that orders hold; how many pieces that were.  Their rows of `orders` are the caller's already:
-- orders before stock, and stock in the order of the skus, so that nobody waits in a circle.
CREATE FUNCTION stock_return(held_by uuid[]) RETURNS bigint LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    pieces bigint;
BEGIN
    WITH released AS (
        UPDATE reservation r SET state = 3
        FROM (SELECT order_id FROM unnest(held_by) AS h (order_id) LIMIT cardinality(held_by)) AS h
        WHERE r.order_id = h.order_id AND r.state = 1
        RETURNING r.sku, r.quantity
    ), returned AS MATERIALIZED (
        SELECT x.sku, x.quantity, x.seen
        FROM (SELECT sku, sum(quantity) AS quantity,
                     (SELECT max(n.version) FROM stock n WHERE n.sku = r.sku) AS seen
              FROM released r GROUP BY sku ORDER BY sku) AS x
        CROSS JOIN LATERAL (
            SELECT FROM stock s WHERE s.sku = x.sku ORDER BY s.version DESC LIMIT 1 FOR UPDATE
        ) AS s
    ), restocked AS (
        UPDATE stock s SET available = s.available + x.quantity, version = s.version + 1
        FROM returned x WHERE s.sku = x.sku AND s.version >= x.seen  -- it has risen while it was waited for
        RETURNING x.quantity
    )
    SELECT coalesce(sum(quantity), 0) INTO pieces FROM restocked;
    RETURN pieces;
END $$;
REVOKE EXECUTE ON FUNCTION stock_return(uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stock_return(uuid[]) TO docket_api, docket_worker;
