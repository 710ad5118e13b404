"""What a statement did, by EXPLAIN, as a program's session plans it."""
from .grants import sql_of


def prepare(cursor, *names):
    """Statements of schema/statements, each under its own name."""
    for name in names:
        cursor.execute(f"PREPARE {name} AS {sql_of(name)}")


def ran(cursor, execute):
    """It is run; its plan, with what each node did."""
    cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE {execute}")
    return cursor.fetchone()[0][0]["Plan"]


def blocks_read(cursor, execute):
    """The least of five runs: now and then one reads the catalogue, or makes a table longer."""
    plans = [ran(cursor, execute) for _ in range(5)]
    return min(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] for plan in plans)


def scans_of(plan, table):
    """How often the table was gone through, or looked into."""
    here = plan["Actual Loops"] if plan.get("Relation Name") == table else 0
    return here + sum(scans_of(part, table) for part in plan.get("Plans", ()))
