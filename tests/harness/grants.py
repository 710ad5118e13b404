"""What each program may do in the database, and what its statements need: the latter from Postgres
itself, which says of each statement that it parses which columns of which tables it reads and
writes (debug_print_parse)."""
import collections
import functools
import os
import re
import subprocess
import sys

from .services import ROOT

sys.path.append(os.path.join(ROOT, "schema"))
import embed_sql  # noqa: E402

ROLES = {"docket_api": ("api/docket-api", ("api/libapi.a.p", "api/docket-api.p")),
         "docket_relay": ("workers/docket-relay", ("workers/docket-relay.p",)),
         "docket_worker": ("workers/docket-worker",
                           ("workers/docket-worker.p", "workers/liboutside.a.p"))}
SHARED = ("queue/libqueue.a.p",)
INSERT, SELECT, UPDATE, DELETE = 1, 2, 4, 8
NAMES = {INSERT: "INSERT", SELECT: "SELECT", UPDATE: "UPDATE", DELETE: "DELETE"}
ATTRIBUTE_OFFSET = 7  # FirstLowInvalidHeapAttributeNumber: system columns come before the first one
RELATION = re.compile(r":rtekind 0 :relid (\d+) .*?:requiredPerms (\d+) :checkAsUser \d+ "
                      r":selectedCols \(b([ \d]*)\) :insertedCols \(b([ \d]*)\) "
                      r":updatedCols \(b([ \d]*)\)")

Need = collections.namedtuple("Need", "table privilege column")  # column None: any one of them


# --- which statements a program has -----------------------------------------------------------

def symbols(path, kinds):
    printed = subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout
    return {line.split()[-1] for line in printed.splitlines()
            if len(line.split()) >= 2 and line.split()[-2] in kinds}


@functools.cache
def statements_of(role, build):
    """The names of those that objects which were linked into the role's program refer to."""
    program, folders = ROLES[role]
    has, found = symbols(os.path.join(build, program), "TDRB"), set()
    for folder in (*folders, *SHARED):
        for name in os.listdir(os.path.join(build, folder)):
            path = os.path.join(build, folder, name)
            if name.endswith(".o") and (folder.endswith(f"{os.path.basename(program)}.p")
                                        or symbols(path, "TDRB") & has):
                found |= symbols(path, "U")
    return sorted(name[4:] for name in found if name.startswith("sql_"))


def sql_of(name):
    with open(os.path.join(ROOT, "schema/statements", name + ".sql"), encoding="utf-8") as file:
        return file.read()


def month_sql_of(name, month):
    """On the own tables of a month ("_2026_11"); None: the statement is never sent so."""
    sql = sql_of(name)
    return embed_sql.marked(sql).replace(embed_sql.MARK, month) if "\n-- of one month: " in sql else None


# --- what they need -----------------------------------------------------------------------------

class Needs:
    """link: of a superuser, in autocommit."""

    def __init__(self, link):
        self.link, self.cursor = link, link.cursor()
        self.tables = dict(self._ask("""
            SELECT oid::int8, relname FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')"""))
        self.columns = collections.defaultdict(dict)
        for table, number, name in self._ask("SELECT attrelid::int8, attnum, attname FROM "
                                             "pg_attribute WHERE attnum > 0 AND NOT attisdropped"):
            self.columns[table][number] = name
        self.functions = {name: (source, arguments) for name, source, arguments in self._ask("""
            SELECT proname, prosrc, ARRAY(SELECT ROW(a.name, format_type(a.type, NULL))
                FROM unnest(proargnames, proargtypes::oid[]) AS a (name, type) WHERE a.type IS NOT NULL)::text[]
            FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND NOT prosecdef AND prorettype <>
            'trigger'::regtype""")}

    def _ask(self, query):
        self.cursor.execute(query)
        return self.cursor.fetchall()

    def of(self, sql):
        """Every Need of one statement, those of the functions that it calls included."""
        found = set()
        for relid, perms, *columns in RELATION.findall(self._parse_tree(sql)):
            if int(relid) in self.tables:
                found |= set(self._of_relation(int(relid), int(perms), columns))
        return found | self._of_functions(sql)

    def _parse_tree(self, sql):
        self.link.notices = collections.deque()
        self.cursor.execute("SET log_min_messages = panic; SET client_min_messages = log; "
                            "SET debug_pretty_print = off; SET debug_print_parse = on")
        self.cursor.execute("PREPARE parsed AS " + sql)
        self.cursor.execute("SET client_min_messages = notice; SET debug_print_parse = off; "
                            "DEALLOCATE parsed")
        return " ".join("".join(self.link.notices).split())

    def _of_relation(self, relid, perms, columns):
        selected, inserted, updated = ([int(bit) - ATTRIBUTE_OFFSET for bit in bits.split()]
                                       for bits in columns)
        for bit, numbers in ((SELECT, selected), (INSERT, inserted), (UPDATE, updated),
                             (DELETE, ())):
            names = [self.columns[relid][number] for number in numbers if number > 0]
            if perms & bit:
                for name in names or [None]:
                    yield Need(self.tables[relid], NAMES[bit], name)

    def _of_functions(self, sql, seen=frozenset()):
        """With the caller's rights: what their texts name, as whole tables (some of it is put
        together when they run); who writes is one statement, and parsed."""
        found = set()
        for name, (source, arguments) in self.functions.items():
            if name in seen or not re.search(rf"\b{name}\s*\(", sql):
                continue
            writes = re.search(r"\bBEGIN\s+(WITH .+?)\s+INTO \w+( FROM [^;]+);\s+RETURN \w+;\s+END", source, re.S)
            if writes:
                found |= self.of(typed("".join(writes.groups()), arguments))
                continue
            for table in re.findall(r"\b(?:FROM|JOIN)\s+(\w+)", source):
                if table in self.tables.values():
                    found.add(Need(table, "SELECT", None))
            assert not re.search(r"\b(INSERT INTO|UPDATE|DELETE FROM)\s+\w", source), \
                f"{name} writes with its caller's rights; teach tests/harness/grants.py to read it"
            found |= self._of_functions(source, seen | {name})
        return found


def typed(sql, arguments):
    """A function's statement without the function: '(name,type)' of its arguments."""
    for argument in arguments:
        name, kind = argument.strip("()").replace('"', "").split(",", 1)
        sql = re.sub(rf"\b{name}\b", f"NULL::{kind}", sql)
    return sql


# --- what is granted ------------------------------------------------------------------------------

def granted(link, role):
    """{(table, privilege): None (all columns) or the set of columns}, partitions left out."""
    cursor, found = link.cursor(), {}
    cursor.execute("""
        SELECT c.relname, a.privilege_type, NULL
        FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
        WHERE a.grantee = %(role)s::regrole AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
        UNION ALL
        SELECT c.relname, a.privilege_type, t.attname
        FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid
        CROSS JOIN LATERAL aclexplode(t.attacl) a
        WHERE a.grantee = %(role)s::regrole AND NOT c.relispartition""",
                   {"role": role})
    for table, privilege, column in cursor.fetchall():
        if column is None:
            found[table, privilege] = None
        elif found.get((table, privilege), ()) is not None:
            found.setdefault((table, privilege), set()).add(column)
    return found
