"""The recordings of README.md: what is typed into a terminal of 100 columns, and what it then shows.

python3 ops/lib/record.py makes them anew, on a Docket that it brings up and wipes; what differs from run to run (ids,
times, pauses) is the only thing that may change: tests/flow/test_up.py plays them again and compares.
"""
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGE = os.path.join(ROOT, "README.md")
BLOCK = re.compile(r"(<!-- recorded: (\w+)[^\n]*-->\n```shell-session\n)(.*?)(^```\n)", re.S | re.M)
COLUMNS, LONGEST_S = 100, 120

POST = ("curl -sf $DOCKET_URL/v1/orders -H \"Authorization: Bearer $DOCKET_KEY\" -H \"Idempotency-Key: $RANDOM-$(date +%s%N)\""
        " -H 'Content-Type: application/json' -d \"$(sed \"s/ada@/ada.$RANDOM.$RANDOM@/\" $DOCKET_HOME/order.json)\" | grep -o 'ord_[0-9a-z]*' | head -n 1")
BOOKS_DIFFER = ("curl -sf $DOCKET_SANDBOX_URL/sandbox/rules -H 'Content-Type: application/json' "
                "-d '{\"match\":{\"op\":\"confirm\"},\"fault\":\"wrong_amount\",\"times\":3}'")

# Each step: what is typed ("$"), or what happens unseen; what that prints is known by the step's name.
SCENES = {
    "dead": [
        ("", BOOKS_DIFFER), ("", POST), ("", POST), ("id", POST),
        ("", "until docket dead list | grep -q '3 letters open'; do sleep 0.1; done"),
        ("$", "docket dead list"),
        ("$", "docket order show {id}"),
        ("$", "docket dead replay code:integrity_failure --reason \"the provider's books were right\" --yes"),
        ("", "until docket dead runs | grep -qE '[0-9] +done '; do sleep 0.1; done"),
        ("", "until docket order show {id} | grep -q '(final)'; do sleep 0.1; done"),
        ("$", "docket dead runs"),
        ("$", "docket order show {id}"),
    ],
}


def typed(command, env):
    """What the terminal shows of it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    child = subprocess.Popen(["bash", "-c", command], cwd=ROOT, env=env, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = b""
    try:
        while data := os.read(ours, 65536):
            said += data
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert child.wait(LONGEST_S) == 0, f"$ {command}\n{said.decode()}"
    return said.decode().replace("\r\n", "\n")


def environment(home):
    """Of a person who has sourced env and has docket in the PATH; times in UTC."""
    with open(os.path.join(home, "env"), encoding="utf-8") as file:
        left = dict(re.findall(r"^export (\w+)='?([^'\n]*)'?$", file.read(), re.M))
    return left | {"PATH": os.path.join(ROOT, "build/ops") + ":" + os.environ["PATH"], "TZ": "UTC",
                   "NO_COLOR": "1", "TERM": "dumb", "LC_ALL": "C.UTF-8"}


def play(scene, home):
    env, known, shown = environment(home), {}, []
    for name, command in SCENES[scene]:
        for word, value in known.items():
            command = command.replace("{%s}" % word, value)
        if name == "$":
            shown.append(f"$ {command}\n{typed(command, env)}")
        else:
            known[name] = subprocess.run(["bash", "-ec", command], env=env, check=True, text=True, timeout=LONGEST_S,
                                         capture_output=True).stdout.strip()
    return trimmed("".join(shown))


def up(said):
    """The first ops/up, without the hints at its end, and without what was special to its machine."""
    said = re.sub(r"^.*(port \d+ .* is busy|the first time takes).*\n", "", said, flags=re.M)
    return trimmed("$ ops/up\n" + said.partition("\nTry:")[0])


def trimmed(text):
    return "".join(line.rstrip() + "\n" for line in text.strip("\n").split("\n"))


def recorded():
    """scene → what README.md shows of it."""
    with open(PAGE, encoding="utf-8") as file:
        return {match[2]: match[3] for match in BLOCK.finditer(file.read())}


def essence(text):
    """Without what differs from run to run."""
    text = re.sub(r"^\[.*\] (packages|build): .*\n", "", text, flags=re.M)
    text = re.sub(r"  (?:(?!  ).)*…$", " …", text, flags=re.M)  # a last column is cut where it does not fit
    text = re.sub(r"\b(ord|inc|pi|shp|TRK)_?[0-9A-Za-z]+", r"\1", text)
    text = re.sub(r"\b00-[0-9a-f]{32}-[0-9a-f]{16}-01", "trace", text)
    text = re.sub(r"\b(now|[\d.]+ (us|ms|s|min|h)( ago)?)(?![\w])", "T", text)
    text = re.sub(r"(?<=are in )\S+", "HOME", text)
    text = re.sub(r"[\d.:+-]*\d", "0", text)
    return re.sub(r"\s+", " ", text)


def make():
    with tempfile.TemporaryDirectory(prefix="docket-recording-") as parent:
        home = os.path.join(parent, "home")
        env = dict(os.environ) | {"DOCKET_HOME": home}
        try:
            said = subprocess.run([os.path.join(ROOT, "ops/up")], env=env, check=True, text=True,
                                  capture_output=True).stdout
            return {"up": up(said).replace(home, "/home/ada/.docket")} | {scene: play(scene, home) for scene in SCENES}
        finally:
            subprocess.run([os.path.join(ROOT, "ops/down"), "--wipe"], env=env, check=True, capture_output=True)


def main():
    with open(PAGE, encoding="utf-8") as file:
        page = file.read()
    made = make()
    assert set(made) == set(recorded()), "README.md has other scenes"
    page = BLOCK.sub(lambda match: match[1] + made[match[2]] + match[4], page)
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(page)


if __name__ == "__main__":
    sys.exit(main())
