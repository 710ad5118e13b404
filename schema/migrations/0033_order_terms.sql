-- serves-from: 1
-- What an order was answered with: renderer, key of its token, and its status now; NULL if it is not there.
-- A function, because a statement in it is begun only when it is called: joined to intake_lookup it would
-- open every month for each batch of new orders, which ask for none.  (plpgsql keeps its plan; a function in
-- SQL is planned anew by each statement that calls it.)
CREATE FUNCTION order_terms(wanted uuid) RETURNS int2[] LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT ARRAY[renderer, token_key, status] FROM orders WHERE id = wanted);
END $$;
