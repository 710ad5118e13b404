"""What operators are told to do knows each fault by which our own steps give up."""
import re

import tree

# Faults of calls and of the set-up that end a step, and where a step is given up.
FILES = ("workers/", "schema/order_state.c")
GIVES_UP = re.compile(r'FAULT_(?:BROKEN|REFUSED),\s*"(\w+)"')
ELSEWHERE = ("unreadable_message", "shipped_twice", "carrier_redirects", "url_invalid",
             "ca_file_unusable", "certificate_refused")


def given():
    found = {code for path in tree.files(".c") if path.startswith(FILES)
             for code in GIVES_UP.findall(tree.without_comments(tree.text(path)))}
    assert len(found) > 8, found
    return found


def test_each_fault_that_makes_a_dead_letter_has_its_advice():
    advised = set(re.findall(r'^    \{\w+, \w+, "(\w+)",', tree.text("api/admin/dead_advice.c"), re.M))
    assert not (given() | set(ELSEWHERE)) - advised, (given() | set(ELSEWHERE)) - advised
