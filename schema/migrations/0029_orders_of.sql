-- serves-from: 1
-- The orders of an e-mail address in a range of ids (times): one walk along the contacts instead of a call
-- for each order (order_is_of(), which older programs use).  The API may ask this of an address, and may
-- read no contact.
CREATE FUNCTION orders_of(email_address text, from_id uuid, below_id uuid) RETURNS SETOF uuid LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT c.order_id FROM public.order_contact c
    WHERE c.order_id >= from_id AND c.order_id < below_id AND lower(c.email) = lower(email_address)
$$;
REVOKE EXECUTE ON FUNCTION orders_of(text, uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orders_of(text, uuid, uuid) TO docket_api;
