"""Each code of an answer that says no: in the table of api/problem.c, with a paragraph in docs/errors.md."""
import re

import tree

GIVEN = re.compile(r'\.code = "(\w+)"|refuse\((?:\w+, )?"(\w+)"|answer_problem\(\w+, "(\w+)"\)'
                   r'|\[INTAKE_\w+\] = \{"(\w+)"')
OF_THE_SERVER = re.compile(r'[45]\d\d, "(\w+)"')


def table():
    return re.findall(r'^    \{"(\w+)", (\d{3}),', tree.text("api/problem.c"), re.M)


def given():
    """Every code that the source gives."""
    found = set()
    for path in tree.files(".c"):
        if path.startswith("api/"):
            found |= {next(filter(None, groups)) for groups in GIVEN.findall(tree.text(path))}
        if path.startswith("base/http/"):
            found |= set(OF_THE_SERVER.findall(tree.text(path)))
    assert len(found) > 20, found
    return found


def test_every_code_that_is_given_is_in_the_table():
    assert given() <= {code for code, _ in table()}


def test_every_code_has_its_paragraph():
    described = re.findall(r"^## (\w+)\n\n(\d{3})\. \S", tree.text("docs/errors.md"), re.M)
    assert sorted(described) == sorted(table())
