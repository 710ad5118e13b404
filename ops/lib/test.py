"""Runs the tests of every kind and adds up what passed and what failed."""
import contextlib
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree
from concurrent.futures import ThreadPoolExecutor

from docket_local import builds, rabbitmq
from docket_local.home import Home
from docket_local.problem import Problem, tail

BEGAN = time.monotonic()
FUZZ_S = int(os.environ.get("FUZZ_S", "60"))
AT_ONCE = 2
AT_ONCE_WAITING = 3
PYTEST_LONGEST_S = 2100
CMOCKA_LONGEST_S = 300

# name: how it is run, in which build, and what of the tree it is
SUITES = {
    "static": ("pytest", "build", "tests/static"),
    "web": ("pytest", "build", "tests/web"),
    "unit": ("unit", "build", None),
    "browser": ("pytest", "build", "tests/browser"),
    "broker": ("broker", "build", None),
    "flow": ("pytest", "build", "tests/flow"),
    "unit-clang": ("unit", "build-clang", None),
    "unit-asan": ("unit", "build-asan", None),
    "flow-asan": ("pytest", "build-asan", "tests/flow"),
    "fault": ("pytest", "build-points", "tests/fault"),
    "fuzz": ("fuzz", "build-fuzz", None),
    "tidy": ("pytest", "build", "tests/tidy"),
}
# Tests with services mostly wait.  When everything is run, these suites, which only compute, and the builds that are
# wanted later have the CPU that the others leave.
BESIDE = ("fuzz", "tidy")


def say(text):
    print(f"[{time.monotonic() - BEGAN:4.0f} s] {text}", flush=True)


class Count:
    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def __iadd__(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        return self

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed" + (
            f", {self.skipped} skipped" if self.skipped else "")


class Tests:
    def __init__(self, root):
        self.root = root

    def run(self, suite, names=()):
        """Runs a suite, or what is named of it.  What cannot be built counts as one failure."""
        kind, build, where = SUITES[suite]
        say(f"{suite}: building {build}")
        try:
            count = getattr(self, "_run_" + kind)(build, where, names)
        except Problem as problem:
            print(problem.told(), flush=True)
            count = Count(failed=1)
        if count.passed + count.failed == 0:
            print(f"{suite}: no test ran", flush=True)
            count.failed = 1
        say(f"{suite}: {count}")
        return count

    # pytest

    def _run_pytest(self, build, where, names):
        builds.compile_in(self.root, build)
        with tempfile.NamedTemporaryFile(suffix=".xml") as report:
            argv = ["/usr/bin/python3", "-B", "-m", "pytest", "-q", "--tb=short", "--durations=5",
                    f"--junitxml={report.name}", *(names or [where])]
            if not names:  # most of their time they wait; a file's tests stay together
                argv += ["-n", str(AT_ONCE_WAITING), "--dist", "loadfile"]
            if build != "build":
                argv.append("--ignore=tests/flow/test_up.py")  # ops/up runs the release build
            env = dict(os.environ) | {"DOCKET_BUILD": os.environ.get("DOCKET_BUILD", build)}
            longest_s = PYTEST_LONGEST_S * (2 if os.nice(0) else 1)  # behind others it takes what time they leave
            code = run_bounded(argv, longest_s, cwd=self.root, env=env)
            return count_pytest(report.name, code)

    # cmocka: one executable a file

    def _run_unit(self, build, _, names):
        return self.run_cmocka(build, "unit", names, AT_ONCE, {})

    def _run_broker(self, build, _, names):
        """Against a RabbitMQ of its own; one at a time, since they freeze and cut links."""
        directory = tempfile.mkdtemp(prefix="docket-broker-")
        home = Home(directory, 26000 + os.getpid() % 100 * 60, lambda text: None)
        try:
            rabbitmq.begin(home)
            rabbitmq.wait_ready(home)
            return self.run_cmocka(build, "broker", names, 1,
                                   {"DOCKET_TEST_AMQP": rabbitmq.uri(home)})
        finally:
            rabbitmq.stop(home)
            shutil.rmtree(directory)

    def run_cmocka(self, build, suite, names, at_once, env):
        wanted = {name.partition("::")[0]: name.partition("::")[2] for name in names}
        tests, total = self.compile_tests(build, suite, wanted), Count()
        with ThreadPoolExecutor(at_once) as pool:
            for count, output in pool.map(
                    lambda item: run_cmocka(*item, env | {"DOCKET_CASE": wanted.get(item[0], "")}),
                    tests.items()):
                total += count
                if count.failed or names:
                    print(output, flush=True)
        return total

    def compile_tests(self, build, suite, wanted=()):
        """{name: executable} of those that are wanted, or of all."""
        path = builds.compile_in(self.root, build, ["build.ninja"])
        tests = {name: command for name, command in self.executables(path, suite).items()
                 if not wanted or name in wanted}
        builds.compile_in(self.root, build, [os.path.relpath(command, path)
                                             for command in tests.values()])
        return tests

    def build_early(self):
        """What the suites beside us will want; who wants it tells what is wrong with it."""
        with contextlib.suppress(Problem):
            builds.compile_in(self.root, "build-asan")
            self.compile_tests("build-clang", "unit")
            builds.compile_in(self.root, "build-points")
        subprocess.run(["/usr/bin/python3", "-B", "-c", "import planted; planted.build()"], check=False,
                       capture_output=True, env=dict(os.environ) | {
                           "PYTHONPATH": f"{self.root}/tests/fault:{self.root}/tests/static"})

    @staticmethod
    def executables(path, suite):
        """name → executable, from what meson knows of a suite."""
        return {test["name"]: test["cmd"][0] for test in introspect(path, "tests")
                if f"docket:{suite}" in test["suite"]}

    # libFuzzer

    def _run_fuzz(self, build, _, names):
        path = builds.compile_in(self.root, build, ["build.ninja"])
        targets = {name: target for name, target in self.fuzzers(path).items()
                   if not names or name in names}
        builds.compile_in(self.root, build, [os.path.relpath(target, path)
                                             for target in targets.values()])
        with ThreadPoolExecutor(AT_ONCE) as pool:
            codes = list(pool.map(lambda item: self.fuzz(*item), targets.items()))
        return Count(codes.count(0), len(codes) - codes.count(0))

    @staticmethod
    def fuzzers(path):
        return {target["name"]: target["filename"][0] for target in introspect(path, "targets")
                if target["type"] == "executable" and "/tests/fuzz/" in target["defined_in"]}

    def fuzz(self, name, binary):
        """New inputs go to a directory that is thrown away; one that fails is kept and named."""
        stem = name.removesuffix("_fuzz")
        seeds = os.path.join(self.root, "tests/fuzz", f"{stem}_seeds")
        work = tempfile.mkdtemp(prefix=f"docket-{name}-")
        os.mkdir(work + "/corpus")
        code, used_s = 0, 0.0
        with open(work + "/log", "wb") as log:
            while code == 0 and used_s < FUZZ_S * 0.9:  # of CPU, of which it may get less than time goes by
                argv = [binary, f"-max_total_time={max(1, round(FUZZ_S - used_s))}", "-timeout=30",
                        "-rss_limit_mb=2048", f"-artifact_prefix={work}/", work + "/corpus", seeds]
                child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
                _, code, used = os.wait4(child.pid, 0)
                used_s += used.ru_utime + used.ru_stime
        if code == 0:
            runs = [line for line in tail(work + "/log", 3) if line.startswith("Done")]
            say(f"fuzz: {name}: {' '.join(runs) or 'quiet'}")
            shutil.rmtree(work)
        else:
            print("\n".join(tail(work + "/log", 60)), f"\nfuzz: {name} failed; its input is in "
                  f"{work}", flush=True)
        return code

    # Names

    def list(self):
        for suite, (kind, build, where) in SUITES.items():
            print(suite)
            if kind == "pytest" and not suite.endswith("-asan"):
                for path in sorted(glob.glob(os.path.join(self.root, where, "test_*.py"))):
                    print("    " + os.path.relpath(path, self.root))
            elif suite in ("unit", "broker", "fuzz"):
                path = builds.compile_in(self.root, build, ["build.ninja"])
                names = self.fuzzers(path) if kind == "fuzz" else self.executables(path, suite)
                for name in sorted(names):
                    print(f"    {suite}/{name}")

    def resolve(self, name):
        """(suite, what of it) for anything that a person may call a test."""
        if name in SUITES:
            return name, None
        for suite, (kind, _, where) in SUITES.items():
            if where and name.startswith(where + "/"):
                return suite, name
            if kind != "pytest" and name.startswith(suite + "/"):
                return suite, name[len(suite) + 1:]
        if match := re.fullmatch(r"(tests/\S+\.c)(::\w+)?", name):
            suite, test = self.built_of(match[1])
            return suite, test + (match[2] or "")
        return self.find_case(name)

    def built_of(self, source):
        """The suite and the name that meson knows the test of a source file by."""
        path = builds.compile_in(self.root, "build", ["build.ninja"])
        source = os.path.join(self.root, source)
        built_from = {target["filename"][0]: {file for group in target["target_sources"]
                                              for file in group["sources"]}
                      for target in introspect(path, "targets")}
        for suite in ("unit", "broker"):
            for name, command in self.executables(path, suite).items():
                if source in built_from.get(command, ()):
                    return suite, name
        raise Problem("names", f"no test is built from {source}")

    def find_case(self, name):
        """A case by its bare name, wherever it stands."""
        python = rf"^def {re.escape(name)}\("
        unit = rf"^static void {re.escape(name)}\(void \*\*"
        for path in glob.glob(os.path.join(self.root, "tests/**"), recursive=True):
            if not path.endswith((".py", "_test.c")):
                continue
            with open(path, encoding="utf-8") as file:
                text = file.read()
            shown = os.path.relpath(path, self.root)
            if path.endswith(".py") and re.search(python, text, re.M):
                return self.resolve(f"{shown}::{name}")
            if path.endswith(".c") and re.search(unit, text, re.M):
                return self.resolve(f"{shown}::{name}")
        raise Problem("names", f"no suite, file or case is called {name}; ops/test --list has them")


def introspect(path, what):
    return json.loads(subprocess.run(["meson", "introspect", f"--{what}", path], check=True,
                                     capture_output=True).stdout)


def stay_behind(more=0):
    """In a new session: as far behind all others as its parent is.  Linux shares the CPU among sessions first, and
    a new one begins as everybody's equal, however nice its processes are."""
    with contextlib.suppress(OSError):  # a system without it
        if nice := os.nice(more):
            with open("/proc/self/autogroup", "w", encoding="ascii") as file:
                file.write(str(nice))


def run_bounded(argv, longest_s, **options):
    """Runs it with its output on ours; at the deadline its whole session is ended."""
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=stay_behind, **options)
    try:
        return child.wait(longest_s)
    except subprocess.TimeoutExpired:
        print(f"not done after {longest_s} s; ending it", flush=True)
        os.killpg(child.pid, signal.SIGINT)
        try:
            return child.wait(60) or 1
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            return child.wait()
    except KeyboardInterrupt:
        os.killpg(child.pid, signal.SIGINT)
        child.wait(60)
        raise


def count_pytest(path, code):
    count = Count()
    try:
        suites = xml.etree.ElementTree.parse(path).getroot().iter("testsuite")
    except xml.etree.ElementTree.ParseError:
        return Count(failed=1)
    for suite in suites:
        bad = int(suite.get("failures")) + int(suite.get("errors"))
        skipped = int(suite.get("skipped"))
        count += Count(int(suite.get("tests")) - bad - skipped, bad, skipped)
    if code not in (0, 5) and count.failed == 0:
        count.failed = 1
    return count


def run_cmocka(name, command, env):
    env = dict(os.environ) | {"CMOCKA_MESSAGE_OUTPUT": "STDOUT"} | env
    try:
        done = subprocess.run([command], capture_output=True, text=True, errors="replace", env=env,
                              timeout=CMOCKA_LONGEST_S, check=False, stdin=subprocess.DEVNULL)
        code, output = done.returncode, done.stdout + done.stderr
    except subprocess.TimeoutExpired as error:
        code, output = 1, f"{error.stdout or b''}\nnot done after {CMOCKA_LONGEST_S} s"
    ran = len(re.findall(r"^\[ RUN      \] ", output, re.M))
    passed = len(re.findall(r"^\[       OK \] ", output, re.M))
    skipped = len(re.findall(r"^\[  SKIPPED \] \w+$", output, re.M))
    failed = ran - passed - skipped
    if (code != 0 and failed == 0) or ran == 0:
        failed += 1
    return Count(passed, failed, skipped), f"--- {name}\n{output}"


class Beside:
    """The suites that only compute, in a process of its own that has what CPU the others leave; what it says is
    shown at the end."""

    def __init__(self, root):
        self.said = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        self.child = subprocess.Popen([sys.executable, "-B", __file__, root, "--beside"], stdin=subprocess.DEVNULL,
                                      stdout=self.said, stderr=self.said, start_new_session=True,
                                      preexec_fn=lambda: stay_behind(19))

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None and self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGINT)
            self.child.wait(90)

    def count(self):
        """Waits for its end."""
        code = self.child.wait()
        self.said.seek(0)
        said = self.said.read()
        print(f"\n--- beside the others\n{said}", flush=True)
        return count_said(said, code)


def count_said(said, code):
    """What the last line says; an end without one, or with failures that it does not have, is a failure."""
    last = (said.rstrip().splitlines() or [""])[-1]
    match = re.fullmatch(r"(\d+) passed, (\d+) failed(?:, (\d+) skipped)?", last)
    count = Count(*(int(number or 0) for number in match.groups())) if match else Count(failed=1)
    if code != 0 and count.failed == 0:
        count.failed = 1
    return count


def run_all(tests, suites):
    total = Count()
    for suite, names in suites.items():
        total += tests.run(suite, names)
    return total


def run_whole(tests):
    with Beside(tests.root) as beside:
        total = run_all(tests, {suite: () for suite in SUITES if suite not in BESIDE})
        total += beside.count()
    return total


def run_beside(tests):
    tests.build_early()
    return run_all(tests, {suite: () for suite in BESIDE})


def run_named(tests, names):
    wanted = {}
    for suite, name in map(tests.resolve, names):
        wanted.setdefault(suite, []).extend([name] if name else [])
    return run_all(tests, wanted)


def main(root, *names):
    os.chdir(root)
    tests = Tests(root)
    if "--list" in names:
        tests.list()
        return 0
    if names == ("--beside",):
        total = run_beside(tests)
    else:
        total = run_named(tests, names) if names else run_whole(tests)
    print(f"\n{total}", flush=True)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except Problem as problem:
        sys.exit("ops/test: " + problem.told())
