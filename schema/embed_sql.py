#!/usr/bin/env python3
"""Turns schema/statements/*.sql or schema/migrations/*.sql into C that is linked in.

usage: embed_sql.py statements|migrations OUT.c OUT.h OUT.d DIRECTORY

A statement with a line "-- of one month: …" becomes a month_statement (schema/month.h): as it stands, and
with a mark behind each table that has a month's own.  That one does without the range of ids by which months
are left out: a planner that takes a table for small would rather read all of the range than look for each
order.  (Its parameters are named once still, for their types.)

OUT.d tells ninja what was read: the directory too, so that a file more or less is noticed.
"""
import pathlib
import re
import sys

MONTHLY = ("orders", "order_line", "order_contact", "order_event", "task", "payment_attempt", "shipment",
           "reservation", "refund")
TABLE = re.compile(rf"\b((?:FROM|JOIN|UPDATE|INTO)\s+(?:{'|'.join(MONTHLY)}))\b")
RANGE = re.compile(r"\bAND \w+\.\w+ BETWEEN (\$\d+::uuid) AND (\$\d+::uuid)")
MARK = "\x01"


def quoted(sql):
    lines = (line.replace("\\", "\\\\").replace('"', '\\"') for line in sql.splitlines())
    return "\n".join(f'    "{line}\\n"' for line in lines).replace(MARK, '\\001')


def without_comments(sql):
    return "\n".join(line for line in sql.splitlines() if not line.lstrip().startswith("--"))


def marked(sql):
    named = set()

    def without(span):
        is_first = span.groups() not in named
        named.add(span.groups())
        return f"AND {span[1]} <= {span[2]}" if is_first else ""

    return TABLE.sub(lambda table: table[1] + MARK, RANGE.sub(without, sql))


def statements(files, source, header):
    header.write('/* Generated from schema/statements: one prepared statement a file. */\n')
    header.write('#pragma once\n\n#include "schema/month.h"\n\n')
    source.write('#include "schema/statements.h"\n')
    for file in files:
        name, text = file.stem, file.read_text()
        sql = without_comments(text)
        whole = f'"{name}",\n{quoted(sql)}'
        is_monthly = re.search("^-- of one month: ", text, re.M)
        kind = "month_statement" if is_monthly else "pg_statement"
        if is_monthly:
            whole = f'{{{whole}}},\n{quoted(marked(sql))}'
        header.write(f"extern const struct {kind} sql_{name};\n")
        source.write(f'\nconst struct {kind} sql_{name} = {{\n    {whole}}};\n')


def migrations(files, source, header):
    header.write('/* Generated from schema/migrations, in the order of their numbers; NULL ends. */\n')
    header.write('#pragma once\n\nstruct migration_file {\n    const char *name;\n')
    header.write('    const char *sql;\n};\n\nextern const struct migration_file migration_files[];\n')
    source.write('#include "schema/migrations.h"\n\n#include <stddef.h>\n\n')
    source.write('const struct migration_file migration_files[] = {\n')
    for file in files:
        source.write(f'{{"{file.stem}",\n{quoted(file.read_text())}}},\n')
    source.write('{NULL, NULL}};\n')


def main():
    kind, source, header, depends, directory = sys.argv[1:]
    files = sorted(pathlib.Path(directory).glob("*.sql"), key=lambda file: file.name)
    with open(depends, "w") as d:
        d.write(f"{source}: {' '.join(map(str, [directory, *files]))}\n")
    with open(source, "w") as s, open(header, "w") as h:
        {"statements": statements, "migrations": migrations}[kind](files, s, h)


if __name__ == "__main__":
    main()
