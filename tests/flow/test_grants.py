"""API, relay and workers own nothing, and may do just what their statements need."""
import pytest

from harness import must
from harness.grants import ROLES, Needs, granted, month_sql_of, sql_of, statements_of

# A program that has been let in may look at nothing but this without a statement of its own.
GREETING = {("migration", "SELECT")}


@pytest.fixture(scope="module", name="link")
def lend_link(docket):
    link = docket.services.connect(docket.database)
    link.autocommit = True
    yield link
    link.close()


@pytest.fixture(scope="module", name="needs", params=ROLES)
def lend_needs(request, docket, link):
    """(role, {statement: what it needs})"""
    teller = Needs(link)
    names = statements_of(request.param, docket.services.build)
    assert len(names) > 5, names
    return request.param, {name: teller.of(sql_of(name)) for name in names}


def test_every_statement_may_do_what_it_needs(link, needs):
    role, of = needs
    has, lacking = granted(link, role), []
    for name, wanted in of.items():
        for need in wanted:
            columns = has.get((need.table, need.privilege), ())
            if columns is not None and (not columns or need.column and need.column not in columns):
                lacking.append(f"{name}.sql: {need}")
    must(lacking, [], f"what {role} lacks")


def test_nothing_is_granted_that_no_statement_needs(link, needs):
    role, of = needs
    used = {(need.table, need.privilege) for need in set().union(*of.values())} | GREETING
    wide = {f"{privilege} ON {table}" for table, privilege in granted(link, role).keys() - used}
    must(wide, set(), f"what {role} may do without need")


def test_every_statement_passes_under_its_role(link, needs):
    """Postgres checks the rights when a plan is begun, which EXPLAIN does without running it."""
    role, of = needs
    with link.cursor() as cursor:
        cursor.execute("SELECT to_char(now() AT TIME ZONE 'UTC', '_YYYY_MM')")
        month = cursor.fetchone()[0]
        monthly = [month_sql_of(name, month) for name in of if month_sql_of(name, month)]
        for sql in [sql_of(name) for name in of] + monthly:
            cursor.execute("PREPARE tried AS " + sql)
            cursor.execute("SELECT cardinality(parameter_types) FROM pg_prepared_statements "
                           "WHERE name = 'tried'")
            nulls = ", ".join(["NULL"] * cursor.fetchone()[0])
            cursor.execute(f"SET plan_cache_mode = force_generic_plan; SET ROLE {role}")
            try:
                cursor.execute(f"EXPLAIN EXECUTE tried{f'({nulls})' if nulls else ''}")
            finally:
                cursor.execute("RESET ROLE; DEALLOCATE tried")


def rights_of(link, table):
    """Of all roles: {(role, privilege, column or None)}"""
    cursor = link.cursor()
    cursor.execute("""
        SELECT a.grantee::regrole::text, a.privilege_type, NULL FROM pg_class c, aclexplode(c.relacl) a
        WHERE c.oid = %(table)s::regclass
        UNION ALL
        SELECT a.grantee::regrole::text, a.privilege_type, t.attname FROM pg_attribute t, aclexplode(t.attacl) a
        WHERE t.attrelid = %(table)s::regclass""", {"table": table})
    return set(cursor.fetchall())


def test_a_months_own_tables_may_be_used_as_all_of_them(link):
    """Also after the rights changed, and of months that are made later: docket migrate ends with
    make_partitions()."""
    cursor = link.cursor()
    cursor.execute("GRANT DELETE ON task TO docket_api; REVOKE SELECT ON order_line FROM docket_api; "
                   "GRANT SELECT (number), UPDATE (amount, currency) ON refund TO docket_relay")
    try:
        cursor.execute("SELECT make_partitions(4)")
        must(cursor.fetchone()[0] > 0, True, "a new month was made")
        cursor.execute("SELECT inhparent::regclass::text, inhrelid::regclass::text FROM pg_inherits JOIN pg_class c "
                       "ON c.oid = inhrelid WHERE c.relkind = 'r'")
        pairs = cursor.fetchall()
        assert len(pairs) >= 9 * 6, pairs
        for parent, child in pairs:
            must(rights_of(link, child), rights_of(link, parent), f"the rights on {child}")
    finally:
        cursor.execute("REVOKE DELETE ON task FROM docket_api; GRANT SELECT ON order_line TO docket_api; "
                       "REVOKE SELECT (number), UPDATE (amount, currency) ON refund FROM docket_relay")
        cursor.execute("SELECT make_partitions(3)")


def test_what_an_order_was_accepted_with_is_nobodys_to_change(link):
    for role in ROLES:
        columns = granted(link, role)["orders", "UPDATE"]
        must(columns & {"id", "account_id", "currency", "items_total", "shipping_total", "total",
                        "renderer", "token_key", "trace", "accepted_at"}, set(), role)


def test_the_roles_own_nothing_and_are_nothing_more(docket):
    must(docket.sql("SELECT rolname FROM pg_roles WHERE rolname = ANY (%s) AND (rolsuper OR "
                    "rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)",
                    list(ROLES)), [], "roles with more than a login")
    must(docket.sql("SELECT roleid FROM pg_auth_members WHERE member::regrole::text = ANY (%s)",
                    list(ROLES)), [], "roles that they are members of")
    must(docket.sql("""
        SELECT c.oid::regclass::text FROM pg_class c WHERE c.relowner::regrole::text = ANY (%s)
        UNION ALL
        SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.proowner::regrole::text = ANY (%s)
        """, list(ROLES), list(ROLES)), [], "what they own")
    for role in ROLES:
        assert not docket.one("SELECT has_schema_privilege(%s, 'public', 'CREATE')", role), role


@pytest.mark.parametrize("name", ["audit_append(text, text, text, text, jsonb)",
                                  "make_partitions(integer)", "month_put_back(date)"])
def test_what_runs_with_the_owners_rights_and_changes_something_is_not_everybodys(docket, name):
    may = {role for role in ROLES if docket.one("SELECT has_function_privilege(%s, %s, 'EXECUTE')",
                                                role, name)}
    must(may, {"audit_append(text, text, text, text, jsonb)": {"docket_api", "docket_relay"},
               "make_partitions(integer)": {"docket_relay"},
               "month_put_back(date)": set()}[name], f"who may call {name}")


def test_a_right_that_is_missing_or_too_wide_is_found(docket, link):
    """The comparisons above, on grants that were spoilt."""
    teller = Needs(link)
    wanted = teller.of(sql_of("claim"))
    assert {("task", "UPDATE"), ("orders", "UPDATE"), ("order_event", "INSERT")} <= {
        (need.table, need.privilege) for need in wanted}
    assert not {"DELETE"} & {need.privilege for need in wanted}
    assert ("worker", "SELECT") in {(need.table, need.privilege) for need in wanted}, \
        "what worker_gone() reads"
    docket.sql("GRANT DELETE ON orders TO docket_worker")
    assert ("orders", "DELETE") in granted(link, "docket_worker")
    docket.sql("REVOKE DELETE ON orders FROM docket_worker")
