"""The rules of the house that a compiler does not know."""
import re

import tree

LEVEL = {"base": 0, "schema": 1, "queue": 2, "api": 3, "workers": 3, "ops": 3}
SQL = re.compile(r"\b(SELECT\s|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|CREATE\s+(TABLE|ROLE|"
                 r"INDEX|DATABASE)|ALTER\s+(TABLE|ROLE)|DROP\s+|TRUNCATE\s|GRANT\s)")
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 700


def includes(source):
    """(line number, path) of every include of ours."""
    code = tree.without_comments(source)
    for number, line in enumerate(code.splitlines(), 1):
        if match := re.match(r'\s*#\s*include\s+"([^"]+)"', line):
            yield number, match[1]


def wrong_includes(path, source):
    room = path.partition("/")[0]
    for number, included in includes(source):
        below = included.partition("/")[0]
        if below not in LEVEL:
            continue  # generated: statements.h, migrations.h
        is_down = LEVEL[below] < LEVEL[room] or below == room
        if path.startswith("ops/sandbox/"):
            is_down = below == "base" or included.startswith("ops/sandbox/")
        if not is_down:
            yield f"{path}:{number}: {room} includes {included}"


def test_includes_go_down_only():
    found = [line for path in tree.files(".c", ".h")
             for line in wrong_includes(path, tree.text(path))]
    assert not found, "\n".join(found)


def test_an_include_that_goes_up_is_found():
    assert list(wrong_includes("queue/x.c", '#include "api/routes.h"\n'))
    assert list(wrong_includes("api/x.c", '#include "workers/relay.h"\n'))
    assert list(wrong_includes("ops/sandbox/x.c", '#include "schema/retry.h"\n'))
    assert not list(wrong_includes("api/x.c", '#include "queue/group.h"\n#include <stdio.h>\n'))


def sql_in(path, source):
    return [f"{path}:{line}: {literal[:80]}" for line, literal in tree.strings(source)
            if SQL.search(literal)]


def test_sql_lives_in_sql_files_only():
    found = [line for path in tree.files(".c", ".h") for line in sql_in(path, tree.text(path))]
    assert not found, "\n".join(found)


def test_sql_in_a_string_is_found():
    assert sql_in("x.c", 'query("INSERT "\n "INTO orders VALUES ($1)");')
    assert not sql_in("x.c", '/* "SELECT 1" */ say("selected");')


def test_a_statement_is_commented_and_names_its_columns():
    found = []
    for path in tree.files(".sql", below=("schema/statements",)):
        source = tree.text(path)
        code = re.sub(r"--[^\n]*", "", source)
        if not source.startswith("-- "):
            found.append(f"{path}: does not say what it is for")
        own = set(re.findall(r"(\w+)\s+AS\s+(?:MATERIALIZED\s+)?\(", code))
        stars = re.findall(r"\bSELECT\s+\*\s+FROM\s+(\w+)", code)
        found += [f"{path}: SELECT * FROM {table}" for table in stars if table not in own]
        is_script = "/migration_" in path  # `docket migrate` sends these whole, never prepared
        if ";" in code.strip().rstrip(";") and not is_script:
            found.append(f"{path}: more than one statement")
    assert not found, "\n".join(found)


def functions(source):
    """(name, first line, lines) of every function; the format puts its braces in column 0."""
    lines = tree.without_comments(source).splitlines()
    for number, line in enumerate(lines):
        if line != "{":
            continue
        end = next(n for n in range(number, len(lines)) if lines[n].startswith("}"))
        start = number - 1
        while start > 0 and lines[start][:1] in (" ", "\t"):
            start -= 1
        name = re.search(r"(\w+)\(", lines[start])
        yield (name[1] if name else "?"), start + 1, end - start + 1


def test_no_function_is_longer_than_a_screen_and_a_half():
    found = [f"{path}:{line}: {name} has {length} lines"
             for path in tree.files(".c", below=(*tree.ROOMS, "tests"))
             for name, line, length in functions(tree.text(path)) if length > FUNCTION_LINES_MAX]
    assert not found, "\n".join(found)


def test_a_long_function_is_found():
    body = "int f(void)\n{\n" + "    x();\n" * FUNCTION_LINES_MAX + "}\n"
    assert [length for _, _, length in functions(body)] == [FUNCTION_LINES_MAX + 3]


def left_unmade(source):
    """Names that a scope cleans up at its end, though it may be left before they are made."""
    code = tree.without_comments(source)
    for match in re.finditer(r"CLEANUP\(\w+\) struct \w+ (\w+);", code):
        body = code[match.end():code.index("\n}\n", match.end())]
        made = re.search(rf"_init\(&{match[1]}\b", body)
        if not made or "return" in body[:made.start()]:
            yield match[1]


def test_what_is_cleaned_up_was_made():
    wrong = [f"{path}: {name} may be cleaned up before it was made" for path in tree.files(".c")
             for name in left_unmade(tree.text(path))]
    assert not wrong, "\n".join(wrong)


def test_a_return_before_the_making_is_found():
    head = "static void f(void)\n{\n    CLEANUP(text_finish) struct text body;\n\n"
    assert list(left_unmade(head + "    if (g())\n        return;\n    text_init(&body, 9);\n}\n")) == ["body"]
    assert not list(left_unmade(head + "    text_init(&body, 9);\n    if (g())\n        return;\n}\n"))


def test_no_file_is_longer_than_it_may_be():
    lengths = {path: tree.text(path).count("\n")
               for path in tree.files(".c", ".h", ".py", below=(*tree.ROOMS, "tests"))}
    found = [f"{path}: {length} lines" for path, length in lengths.items()
             if length > FILE_LINES_MAX]
    assert not found, "\n".join(found)


def test_the_files_that_take_the_longest_are_there():
    names = re.findall(r'"(test_\w+)"', re.search(r"^LONGEST = \((.*?)\)$", tree.text("tests/conftest.py"), re.M | re.S)[1])
    there = {path.rpartition("/")[2] for path in tree.files(".py", below=("tests/flow", "tests/fault"))}
    assert names and {f"{name}.py" for name in names} <= there, names


def test_a_header_says_its_promise_first():
    found = [path for path in tree.files(".h")
             if not tree.text(path).startswith(f"/* {path} - ") or "#pragma once" not in
             tree.text(path)]
    assert not found, f"no `/* path - the promise` or no #pragma once: {found}"
