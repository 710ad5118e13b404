-- docket doctor: has each role what the migrations granted it?
--   $1 roles   $2 kinds: TABLE, SEQUENCE or FUNCTION   $3 what it is granted on   $4 privileges
WITH granted AS (
    SELECT role, kind, object, privilege
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS g (role, kind, object, privilege)
    WHERE role IN (SELECT rolname FROM pg_roles)
), missing AS (
    SELECT role, kind, object, privilege FROM granted
    WHERE NOT CASE kind
        WHEN 'FUNCTION' THEN to_regprocedure(object) IS NULL
                             OR has_function_privilege(role, to_regprocedure(object), privilege)
        WHEN 'SEQUENCE' THEN to_regclass(object) IS NULL
                             OR has_sequence_privilege(role, to_regclass(object), privilege)
        ELSE to_regclass(object) IS NULL
             OR has_table_privilege(role, to_regclass(object), privilege)
             OR CASE WHEN privilege IN ('SELECT', 'INSERT', 'UPDATE')  -- of some columns
                     THEN has_any_column_privilege(role, to_regclass(object), privilege) END END
)
SELECT 'roles.grants', 'fail', role || ' lacks ' || string_agg(privilege, ', ' ORDER BY privilege)
           || ' on ' || object,
       'GRANT ' || string_agg(privilege, ', ' ORDER BY privilege) || ' ON '
           || CASE kind WHEN 'TABLE' THEN '' ELSE kind || ' ' END || object || ' TO ' || role
FROM missing GROUP BY role, kind, object
UNION ALL
SELECT 'roles.grants', 'ok', (SELECT count(*) FROM granted) || ' grants of the migrations are there', ''
WHERE NOT EXISTS (SELECT FROM missing)
