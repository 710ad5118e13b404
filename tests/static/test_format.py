"""What clang-format and shellcheck have to say: nothing.  (clang-tidy: tests/tidy.)"""
import json
import os

import tree

SCRIPTS = ("ops/up", "ops/down", "ops/test", "ops/lib/install", "ops/lib/say.sh",
           "ops/lib/packages.sh", ".ci/run")

# The release build is gcc's: clang 14 does not know some of its warnings, and wants to be asked
# twice for the one that zeroes variables.
GCC_TO_CLANG = [f"--extra-arg={argument}" for argument in (
    "-Wno-unknown-warning-option",
    "-enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang")]


def test_c_is_formatted():
    paths = tree.files(".c", ".h", below=(*tree.ROOMS, "tests"))
    code, said = tree.run("clang-format", "--dry-run", "-Werror", *paths)
    assert code == 0, said[-4000:]


def test_scripts_pass_shellcheck():
    code, said = tree.run("shellcheck", "-x", "-P", "SCRIPTDIR", "-e", "SC1091", *SCRIPTS)
    assert code == 0, said


def compiled():
    """Our sources as the release build compiles them."""
    with open(os.path.join(tree.BUILD, "compile_commands.json"), encoding="utf-8") as file:
        entries = json.load(file)
    paths = {os.path.relpath(os.path.join(entry["directory"], entry["file"]), tree.ROOT)
             for entry in entries}
    return sorted(path for path in paths if path.partition("/")[0] in tree.ROOMS)


def tidy(path):
    code, said = tree.run("clang-tidy", "-quiet", "-p", tree.BUILD, *GCC_TO_CLANG, path)
    return f"{path}:\n{said}" if code != 0 else None
