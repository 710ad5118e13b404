-- serves-from: 1
-- Every act of an operator is a row of the chain, written by one function.

-- form: how `hash` was made.  1: the fields joined by '|' (programs before this migration write it,
-- and may go on doing so); 2: audit_append.
ALTER TABLE audit
    ADD COLUMN form   smallint NOT NULL DEFAULT 1,
    ADD COLUMN detail jsonb NOT NULL DEFAULT '{}';
CREATE INDEX audit_target ON audit (target);  -- what was done to it: docket order show

-- What is hashed of a row, after the hash of the row before it: each field as "<bytes>:<text>,", so
-- that no text can look like two.  docket audit verify (ops/cli/audit_chain.c) does the same in C.
CREATE FUNCTION audit_form_2(fields text[]) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT convert_to(string_agg(octet_length(convert_to(field, 'UTF8')) || ':' || field || ',', ''
                                 ORDER BY n), 'UTF8')
    FROM unnest(fields) WITH ORDINALITY AS part(field, n)
$$;

-- Appends one act and returns its id.  One after the other: the lock is held until the commit, so
-- that each hash covers the one before it.  Who also locks rows takes this lock first
-- (audit_lock.sql), as all acts do; it may be taken again.
CREATE FUNCTION audit_append(actor text, act text, target text, reason text,
                             detail jsonb DEFAULT '{}') RETURNS bigint LANGUAGE plpgsql
    VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    before record;
    number bigint;
    moment timestamptz;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('docket audit'));
    SELECT a.id, a.hash INTO before FROM public.audit a ORDER BY a.id DESC LIMIT 1;
    number := coalesce(before.id, 0) + 1;
    moment := clock_timestamp();
    INSERT INTO public.audit (id, at, actor, act, target, reason, form, detail, hash)
    VALUES (number, moment, actor, act, target, reason, 2, detail,
            sha256(coalesce(before.hash, '') || public.audit_form_2(ARRAY[
                'docket audit 2', number::text,
                to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                actor, act, target, reason, detail::text])));
    RETURN number;
END $$;
REVOKE EXECUTE ON FUNCTION audit_append(text, text, text, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_append(text, text, text, text, jsonb) TO docket_api, docket_relay;
