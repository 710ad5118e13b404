"""The files of the tree, and C without its comments."""
import os
import re
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ROOMS = ("base", "schema", "queue", "api", "workers", "ops")
BUILD = os.path.join(ROOT, os.environ.get("DOCKET_BUILD", "build"))


def files(*endings, below=ROOMS):
    """Paths from the root; without git (an exported tree) the same by walking."""
    found = []
    for top in below:
        for directory, _, names in os.walk(os.path.join(ROOT, top)):
            found += [os.path.relpath(os.path.join(directory, name), ROOT) for name in names
                      if name.endswith(endings)]
    assert found, f"no {endings} below {below}"
    return sorted(found)


def text(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def without_comments(source):
    """Comments become blanks, so that lines keep their numbers; strings stay."""
    pattern = r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*.*?\*/'
    return re.sub(pattern, lambda match: match[0] if match[0][0] in "\"'" else
                  re.sub(r"[^\n]", " ", match[0]), source, flags=re.S)


def strings(source):
    """(line, text) of every string literal, neighbours joined as the compiler does."""
    pattern = r'"(?:\\.|[^"\\\n])*"(?:\s*"(?:\\.|[^"\\\n])*")*'
    code = re.sub(r"^[ \t]*#[ \t]*include.*$", "", without_comments(source), flags=re.M)
    for match in re.finditer(pattern, code):
        parts = re.findall(r'"((?:\\.|[^"\\\n])*)"', match[0])
        yield code.count("\n", 0, match.start()) + 1, "".join(parts)


def run(*argv):
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr
