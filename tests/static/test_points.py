"""Every commit, publish, ack and outside call has its kill points.

That each of them is also reached, and survived, is tests/fault/test_kills.py.
"""
import os
import re
import sys

import points
import pytest
import tree
from test_house import functions

BASE_HTTP = "base/http/client"
# Where Postgres, RabbitMQ and the network are spoken to at all; everybody else goes through these.
ALLOWED = {
    r"\bPQ(exec|send|pipelineSync|put)\w*\(": {"base/pg_link_begin.c", "base/pg_link_work.c", "ops/cli/migrate.c",
                                                "ops/cli/owner.c", "ops/cli/migrate_months.c",
                                                "ops/cli/doctor_postgres.c"},
    r"\bamqp_(basic_(publish|ack|nack|reject)|send_(method|frame)\w*|simple_rpc\w*)\(":
        {"base/amqp_wire.c"},
    r"\bcurl_(multi_add_handle|easy_perform|easy_send)\(":
        {BASE_HTTP + ".c", "ops/cli/admin_http.c", "ops/cli/doctor_broker.c"},
}
# `docket migrate` changes a database in single transactions that it repeats (`retire` is killed at its
# own points: tests/fault/test_retire.py); `docket doctor` changes nothing; every other
# command of the operator asks the API, which is killed at its points.
PRIVATE = {"base/pg_link_work.c", "base/pg_link.h"}


def lines_of(path):
    return tree.without_comments(tree.text(path)).splitlines()


def function_around(lines, number):
    """The lines of the function that line `number` (from 0) is in."""
    for _, first, length in functions("\n".join(lines)):
        if first - 1 <= number < first - 1 + length:
            return lines[first - 1:first - 1 + length]
    return []


def has_point(lines, moment):
    return any(re.search(rf'\b(POINT|reach_point)\([^,]+, "{moment}"\)', line) for line in lines)


def syncs_without_points(path, lines):
    """A commit has a point just before, one just after it was sent, and one at its answer."""
    for number, line in enumerate(lines):
        if not re.search(r"\bpg_link_sync\(", line):
            continue
        if not has_point(lines[number - 1:number], "commit_before"):
            yield f"{path}:{number + 1}: no commit_before directly above pg_link_sync"
        if not has_point(lines[number + 1:number + 2], "commit_sent"):
            yield f"{path}:{number + 1}: no commit_sent directly below pg_link_sync"
        if not any(has_point(function_around(lines, at), "commit_after")
                   for at, other in enumerate(lines) if re.search(r"\bon_synced\(void", other)):
            yield f"{path}:{number + 1}: no commit_after in on_synced"


SENT_METHODS = {  # method of AMQP: the points of the function that sends it, those of its file
    "AMQP_BASIC_PUBLISH_METHOD": (["publish_before"], ["publish_after", "confirm_received"]),
    "AMQP_BASIC_ACK_METHOD": (["ack_before"], ["ack_after"]),
    "AMQP_BASIC_NACK_METHOD": (["ack_before"], ["ack_after"]),
    "AMQP_BASIC_REJECT_METHOD": (["ack_before"], ["ack_after"]),
}


def methods_without_points(path, lines):
    for number, line in enumerate(lines):
        for method, (beside, somewhere) in SENT_METHODS.items():
            if not re.search(rf"\bamqp_wire_\w+\(.*\b{method}\b", line):
                continue
            above = function_around(lines, number)
            if not all(has_point(above, moment) for moment in beside):
                yield f"{path}:{number + 1}: {method} is sent without {beside}"
            if not all(has_point(lines, moment) for moment in somewhere):
                yield f"{path}:{number + 1}: {method} is sent, but nothing reaches {somewhere}"


def without_points():
    for path in tree.files(".c"):
        if path not in PRIVATE:
            yield from syncs_without_points(path, lines_of(path))
        yield from methods_without_points(path, lines_of(path))


def test_every_commit_publish_and_ack_has_its_points():
    found = list(without_points())
    assert not found, "\n".join(found)


def test_the_calls_that_need_points_are_there_at_all():
    """The checks above would be content with names that nobody uses any more."""
    everything = "\n".join(tree.text(path) for path in tree.files(".c"))
    assert len(re.findall(r"\bpg_link_sync\(\w+->", everything)) >= 3
    assert "AMQP_BASIC_PUBLISH_METHOD, " in everything and "AMQP_BASIC_ACK_METHOD, " in everything
    assert "curl_multi_add_handle(" in everything


def test_an_outside_call_has_its_points():
    """Each is started in one place; libcurl calls the three functions that reach the points."""
    code = tree.without_comments(tree.text(BASE_HTTP + "_transfer.c"))
    for option, moment in (("CURLOPT_PREREQFUNCTION", "call_before"),
                           ("CURLOPT_DEBUGFUNCTION", "call_sent")):
        callback = re.search(rf"{option}, (\w+)\)", code)
        assert callback, f"{option} is not set"
        assert has_point(points.body_of(code, callback[1]).splitlines(), moment), \
            f"{callback[1]} does not reach {moment}"
    assert has_point(points.body_of(code, "http_transfer_conclude").splitlines(), "call_after")
    client = tree.without_comments(tree.text(BASE_HTTP + ".c"))
    starts = [function for function in re.split(r"\n(?=\w[^\n]*\n\{)", client)
              if "curl_multi_add_handle(" in function]
    assert len(starts) == 1 and "http_transfer_prepare(" in starts[0]


@pytest.mark.parametrize("pattern", ALLOWED)
def test_nobody_goes_round_the_points(pattern):
    found = [f"{path}:{number}: {line.strip()}" for path in tree.files(".c")
             for number, line in enumerate(lines_of(path), 1)
             if re.search(pattern, line) and path not in ALLOWED[pattern]]
    assert not found, "\n".join(found)


def test_every_work_gives_its_points_a_name():
    names = points.known()
    for kind in points.MOMENTS:
        assert any(of == kind for _, of in names), f"nobody has points of kind {kind}"
    assert {("accept", "commit"), ("worker", "commit"), ("relay", "publish"),
            ("docket.payment", "ack"), ("payment_confirm", "call")} <= names


def test_no_two_works_share_their_points():
    """Else a point that is never reached would hide behind its namesake."""
    given = [(name, kind, path) for path, code in points.sources().items()
             for name, kind in set(points.names_in(path, code))]
    twice = [row for row in given if sum(row[:2] == other[:2] for other in given) > 1]
    assert not twice, twice


def test_what_has_no_point_is_found():
    send = ["void f(void)", "{", '    POINT(name, "commit_before");', "    pg_link_sync(link);"]
    rest = ["}", "", "static void on_synced(void *owner)", "{",
            '    POINT(name, "commit_after");', "}"]
    whole = [*send, '    POINT(name, "commit_sent");', *rest]
    assert not list(syncs_without_points("x.c", whole))
    for left_out in (2, 4, 9):
        assert len(list(syncs_without_points("x.c", whole[:left_out] + whole[left_out + 1:]))) == 1
    ack = ["void f(void)", "{", "    amqp_wire_method(wire, 1, AMQP_BASIC_ACK_METHOD, &ack);", "}"]
    assert len(list(methods_without_points("x.c", ack))) == 2


def test_work_without_a_name_is_found():
    for code in ("const struct group_work work = {\n    .send = send,\n};\n",
                 "x = (struct http_call){.method = \"GET\"};",
                 "x = amqp_consumer_create(loop, uri, queue, mystery);"):
        with pytest.raises(points.Nameless):
            list(points.names_in("x.c", code))


def test_the_planted_bugs_still_fit():
    """They are built and run by tests/fault/test_planted.py, half an hour later."""
    sys.path.append(os.path.join(tree.ROOT, "tests/fault"))
    import planted
    assert len(list(planted.changed_texts())) > 3
