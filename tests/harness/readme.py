"""The console blocks of a page, run as printed: `$ command`, then what it answers, in which …
stands for anything."""
import os
import re
import subprocess

from .services import ROOT

MARK = "@@@ next @@@"


def steps(page):
    """(command, expected) for each line that begins with `$ `."""
    with open(os.path.join(ROOT, page), encoding="utf-8") as file:
        blocks = re.findall(r"```console\n(.*?)```", file.read(), re.S)
    found = []
    for block in blocks:
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, expected = part.partition("\n")
            found.append((command, expected))
    assert found, f"{page} shows no command"
    return found


def answers(page, env):
    """What each command of it prints, typed one after the other into one shell."""
    script = f"\necho '{MARK}'\n".join(command for command, _ in steps(page))
    done = subprocess.run(["bash", "-ec", script], cwd=ROOT, env=env, capture_output=True,
                          text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout.split(MARK + "\n")


def is_as_printed(expected, answer):
    """Columns may be wider or narrower than they were printed."""
    expected, answer = (re.sub(" +", " ", text) for text in (expected, answer))
    pattern = "".join(".*" if part == "…" else re.escape(part)
                      for part in re.split("(…)", expected.strip()))
    return re.fullmatch(pattern, answer.strip(), re.S) is not None
