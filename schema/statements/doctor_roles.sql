-- docket doctor: may the programs' roles log in, do they own nothing, and are they no more than they
-- are to be?
WITH wanted (name) AS (VALUES ('docket_api'), ('docket_relay'), ('docket_worker')), found AS (
    SELECT w.name, r.oid, r.rolcanlogin, r.rolsuper OR r.rolcreaterole OR r.rolcreatedb
                                         OR r.rolbypassrls AS is_mighty,
           r.rolconnlimit,
           (SELECT string_agg(c.relname, ', ') FROM pg_class c
            WHERE c.relowner = r.oid AND c.relkind IN ('r', 'p', 'S', 'v')) AS owns,
           EXISTS (SELECT FROM pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) AS one
                   WHERE s.setrole = r.oid
                     AND one LIKE 'idle\_in\_transaction\_session\_timeout=%'
                     AND split_part(one, '=', 2) NOT IN ('0', '0s')) AS is_bounded
    FROM wanted w LEFT JOIN pg_roles r ON r.rolname = w.name
), wrong AS (
    SELECT name, 'fail' AS state, 'role ' || name || ' is missing' AS says,
           'docket migrate up' AS mend
    FROM found WHERE oid IS NULL
    UNION ALL
    SELECT name, 'fail', 'role ' || name || ' may not log in', 'ALTER ROLE ' || name || ' LOGIN'
    FROM found WHERE NOT rolcanlogin
    UNION ALL
    SELECT name, 'warn', 'role ' || name || ' may do more than its statements need',
           'ALTER ROLE ' || name || ' NOSUPERUSER NOCREATEROLE NOCREATEDB NOBYPASSRLS'
    FROM found WHERE is_mighty
    UNION ALL
    SELECT name, 'warn', 'role ' || name || ' owns ' || owns,
           'REASSIGN OWNED BY ' || name || ' TO ' || quote_ident(current_user)
    FROM found WHERE owns IS NOT NULL
    UNION ALL
    SELECT name, 'warn', 'role ' || name || ' may stay idle in a transaction for ever',
           'ALTER ROLE ' || name || ' SET idle_in_transaction_session_timeout = ''10s'''
    FROM found WHERE oid IS NOT NULL AND NOT is_bounded
)
SELECT 'roles.' || name, state, says, mend FROM wrong
UNION ALL
SELECT 'roles', 'ok', 'the programs'' roles may log in, own nothing, and are bounded', ''
WHERE NOT EXISTS (SELECT FROM wrong)
