"""The build directories: how each is made, and one builder at a time in each."""
import fcntl
import os
import subprocess

from .problem import Problem

#            directory        meson's arguments                                  compiler
KINDS = {
    "build": ([], None),
    "build-clang": ([], "clang"),
    "build-asan": (["-Db_sanitize=address,undefined"], None),
    "build-points": (["-Dpoints=true"], None),
    "build-fuzz": (["-Dfuzz=true", "-Db_sanitize=address,undefined", "-Db_lundef=false"], "clang"),
}


def compile_in(root, kind, targets=(), log=None):
    """Makes the directory if it is new, and builds the targets (all, if none are named)."""
    path = os.path.join(root, kind)
    os.makedirs(path, exist_ok=True)
    log = log or os.path.join(path, "docket-build.log")
    with open(os.path.join(path, ".docket-lock"), "w", encoding="ascii") as lock, \
            open(log, "wb") as out:
        fcntl.flock(lock, fcntl.LOCK_EX)
        arguments, compiler = KINDS[kind]
        if not os.path.exists(path + "/build.ninja"):
            _run(["meson", "setup", *arguments, path, root], compiler, out)
        _run(["ninja", "-C", path, *targets], compiler, out)
    return path


def _run(argv, compiler, log):
    env = dict(os.environ) | ({"CC": compiler} if compiler else {})
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env,
                          check=False)
    if done.returncode != 0:
        raise Problem("build", f"{argv[0]} ended with {done.returncode}", log.name)
