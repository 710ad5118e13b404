"""What docket shows on a terminal: colours there alone, lines that fit, --watch in place, Ctrl-C ends it."""
import os
import re
import subprocess
import unicodedata

import pytest

from harness import must
from harness.terminal import Terminal

COLOUR = re.compile(r"\033\[\d+m")
HOME_AND_CLEAR = "\033[H\033[2J"


@pytest.fixture(scope="module")
def shop(docket):
    docket.start("api")
    docket.stock_up()
    docket.make_keys()
    return docket


def environment(shop, **changes):
    ours = {name: value for name, value in os.environ.items()
            if not name.startswith("DOCKET_") and name not in ("NO_COLOR", "COLUMNS")}
    return {**ours, **shop.world.environment("docket"), "TERM": "xterm", "LANG": "C.UTF-8", **changes}


def terminal(shop, *arguments, columns=100, **changes):
    return Terminal(os.path.join(shop.services.build, "ops/docket"), *arguments, env=environment(shop, **changes),
                    columns=columns)


def shown(shop, *arguments, columns=100, **changes):
    with terminal(shop, *arguments, columns=columns, **changes) as screen:
        must(screen.wait_ended(), 0, "exit code")
        return screen.shown


def test_colours_are_for_terminals_alone(shop):
    assert COLOUR.search(shown(shop, "key", "list"))
    piped = subprocess.run([os.path.join(shop.services.build, "ops/docket"), "key", "list"], env=environment(shop),
                           capture_output=True, text=True, check=True).stdout
    assert piped and "\033" not in piped


@pytest.mark.parametrize("arguments, changes, has_colours", [
    ((), {"NO_COLOR": "1"}, False), ((), {"NO_COLOR": ""}, True), ((), {"TERM": "dumb"}, False),
    (("--color", "never"), {}, False), (("--color", "always"), {"NO_COLOR": "1"}, True)])
def test_colours_can_be_refused_and_asked_for(shop, arguments, changes, has_colours):
    must(bool(COLOUR.search(shown(shop, "key", "list", *arguments, **changes))), has_colours, "colours")


def cells(line):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in line)


@pytest.mark.parametrize("columns", [90, 110, 200])
def test_a_table_fits_the_terminal_whatever_is_in_it(shop, columns):
    for name in ("a name of some sixty characters, to be cut where it has to be", "日本語の名前がここにあります日本語"):
        shop.docket("key", "create", "--scope", "checkout", "--name", name)
    lines = COLOUR.sub("", shown(shop, "key", "list", columns=columns)).replace("\r", "").splitlines()
    assert len(lines) > 3
    must([line for line in lines if cells(line) > columns], [], f"lines that are wider than {columns}")
    must(any(re.search(r"\S…$", line) for line in lines if "dk_" in line), columns < 200, "names are cut")


def test_watch_shows_anew_in_place_and_ends_at_ctrl_c(shop):
    """It dies of the signal, so that a shell's loop around it ends too: the shell calls that 130."""
    binary = os.path.join(shop.services.build, "ops/docket")
    with Terminal("bash", "-c", f"trap : INT; '{binary}' status --watch; echo code $?", env=environment(shop)) as screen:
        screen.wait_shown(lambda text: text.count(HOME_AND_CLEAR) >= 2, 15, "the second look, in place")
        screen.type("\x03")
        must(screen.wait_ended(5), 0, "the shell's exit code")
    assert screen.plain.count("relay") >= 2 and "code 130" in screen.plain, screen.shown


def test_an_act_that_is_interrupted_says_that_it_may_be_done(shop):
    shop.services.postgres_freeze()
    try:
        with terminal(shop, "key", "create", "--scope", "checkout", "--name", "interrupted") as screen:
            screen.wait_shown(lambda _: catches_interrupts(screen.pid), 10, "the act is on its way")
            screen.type("\x03")
            must(screen.wait_ended(5), 130, "exit code")
            assert "may be done, or not" in screen.shown
    finally:
        shop.services.postgres_thaw()


def catches_interrupts(pid):
    """As an act of docket does while it is on its way (before it is docket, the test itself catches them)."""
    if not os.readlink(f"/proc/{pid}/exe").endswith("/docket"):
        return False
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"^SigCgt:\s*(\w+)", file.read(), re.M)[1], 16) & 2


def test_what_moves_the_cursor_is_not_passed_on(shop):
    must(shop.operator.post("/admin/keys", {"name": "x", "scopes": ["checkout"]}).status, 201, "a key")
    shop.sql("UPDATE api_key SET name = %s WHERE name = 'x'", "evil\033[2J\007")
    assert "evil?[2J?" in shown(shop, "key", "list", columns=200)
