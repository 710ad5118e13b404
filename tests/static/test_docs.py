"""The pages that are made from the code are those that the code makes now."""
import os
import re
import subprocess

import reasons
import tree

BUILD = os.path.join(tree.ROOT, os.environ.get("DOCKET_BUILD", "build"))


def test_the_table_of_settings_is_the_one_of_the_code():
    printed = subprocess.run([BUILD + "/ops/docket", "config"], capture_output=True, text=True,
                             check=True).stdout
    assert printed == tree.text("docs/configuration.md"), \
        "run: build/ops/docket config > docs/configuration.md"


def test_the_table_of_reasons_is_the_one_of_the_code():
    assert reasons.page(tree.text("docs/api.md")) == tree.text("docs/api.md"), \
        "run: python3 ops/lib/reasons.py"


def test_every_reason_that_the_code_gives_has_words_for_the_customer():
    source = "".join(tree.without_comments(tree.text(path)) for path in tree.files(".c")
                     if path.startswith("schema/order_"))
    given = set(re.findall(r'"(\w+)"', " ".join(
        re.findall(r"\breason = [^;]*;", source) + re.findall(
            r"^(?:static )?const char \*\w*(?:reason|waits_for)\w*\(.*?^\}", source,
            re.S | re.M))))
    given |= set(re.findall(r'STAGE_\w+, "(\w+)"\}', tree.text("schema/outsides.c")))
    assert {"payment_declined", "payment_retry", "carrier_unavailable"} <= given, "looked in vain"
    missing = given - {name for name, _, _ in reasons.rows()}
    assert not missing, f"{missing}: add rows to schema/reasons.c, then run python3 ops/lib/reasons.py"


def test_every_test_that_is_named_is_there():
    """`test_x.py::test_words_…`, or `…::test_words_…` where the file is named before."""
    tests = {os.path.basename(path): set(re.findall(r"^def (test_\w+)\(", tree.text(path), re.M))
             for path in tree.files(".py", below=("tests",))}
    every = set().union(*tests.values())
    missing = []
    for path in tree.files(".md", below=("docs",)):
        missing += [f"{path}: {file}" for file in re.findall(r"`(test_\w+\.py)[`:]", tree.text(path)) if file not in tests]
        for file, name, is_begin in re.findall(r"`(test_\w+\.py|…)::(test_\w+?)(_?…)?`", tree.text(path)):
            known = every if file == "…" else tests.get(file, set())
            if not any(one.startswith(name) if is_begin else one == name for one in known):
                missing.append(f"{path}: {file}::{name}")
    assert not missing, missing
