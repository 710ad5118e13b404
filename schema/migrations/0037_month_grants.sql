-- serves-from: 1
-- Programs use a month's own tables where all orders of a batch are of it (schema/month.h): who may do
-- something to all orders may do it to each month's.  A migration that grants or revokes on a table of months
-- need not think of it: docket migrate makes partitions at its end, and that looks after the rights, too.
CREATE FUNCTION month_grants(parent name, child name) RETURNS void LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    missing record;
BEGIN
    FOR missing IN
        WITH acl AS (
            SELECT c.relname, a.grantee, a.privilege_type, NULL::name AS attname
            FROM pg_class c, aclexplode(c.relacl) a
            WHERE c.oid IN (parent::regclass, child::regclass) AND a.grantee <> c.relowner
            UNION ALL
            SELECT c.relname, a.grantee, a.privilege_type, t.attname
            FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) a
            WHERE c.oid IN (parent::regclass, child::regclass) AND a.grantee <> c.relowner
        ), differs AS (
            SELECT grantee, privilege_type, attname, bool_or(relname = parent) AS is_due
            FROM acl GROUP BY 1, 2, 3 HAVING count(*) = 1
        )
        SELECT is_due, privilege_type, pg_get_userbyid(grantee) AS role,
               string_agg(quote_ident(attname), ', ' ORDER BY attname) AS columns
        FROM differs GROUP BY 1, 2, 3, attname IS NULL ORDER BY is_due, 2, 3
    LOOP
        EXECUTE format(CASE WHEN missing.is_due THEN 'GRANT %s%s ON %I TO %I'
                            ELSE 'REVOKE %s%s ON %I FROM %I' END,
                       missing.privilege_type, ' (' || missing.columns || ')', child, missing.role);
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION month_grants(name, name) FROM PUBLIC;

-- Makes what is missing from this month (and the one before, for clocks that differ) to `ahead` months after it;
-- returns how many tables it made.
CREATE OR REPLACE FUNCTION make_partitions(ahead integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public AS $$
DECLARE
    parent text;
    child text;
    month timestamptz;
    made integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('docket make_partitions'));
    FOR parent IN SELECT * FROM month_parents() LOOP
        FOR n IN -1 .. ahead LOOP
            month := date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
            month := (month AT TIME ZONE 'UTC' + make_interval(months => n)) AT TIME ZONE 'UTC';
            child := parent || to_char(month AT TIME ZONE 'UTC', '_YYYY_MM');
            IF to_regclass(child) IS NULL THEN
                EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', child, parent,
                    month_floor(month),
                    month_floor((month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC'));
                IF parent IN ('orders', 'task', 'payment_attempt', 'reservation', 'refund') THEN
                    EXECUTE format('ALTER TABLE %I SET (fillfactor = 70)', child);
                END IF;
                made := made + 1;
            END IF;
            PERFORM month_grants(parent, child);
        END LOOP;
    END LOOP;
    RETURN made;
END $$;
SELECT make_partitions(3);
