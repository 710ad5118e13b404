"""What the tests need from npm: tests/web/package-lock.json, installed when it has changed."""
import fcntl
import filecmp
import os
import shutil
import subprocess

from .services import ROOT

WEB = os.path.join(ROOT, "tests/web")


def install():
    """npm ci, once for each lock file; without a network it comes from npm's cache."""
    lock, done = os.path.join(WEB, "package-lock.json"), os.path.join(WEB, "node_modules/.installed")
    with open(os.path.join(WEB, ".installing"), "w", encoding="ascii") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if os.path.exists(done) and filecmp.cmp(lock, done, shallow=False):
            return
        run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
        shutil.copyfile(lock, done)


def run(*argv, **options):
    """What a tool says; fails with that if the tool does."""
    done = subprocess.run(argv, cwd=WEB, capture_output=True, text=True, timeout=300, check=False, **options)
    assert done.returncode == 0, f"{' '.join(argv)}:\n{done.stdout}{done.stderr}"
    return done.stdout


def tool(name, *arguments):
    return run(os.path.join(WEB, "node_modules/.bin", name), *arguments)
