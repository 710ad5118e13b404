"""What every command of `docket` owes its user, from its table: help, mistakes, completion, manual."""
import glob
import os
import re
import subprocess

import pytest
import tree
from harness.terminal import Terminal

DOCKET = os.path.join(tree.ROOT, os.environ.get("DOCKET_BUILD", "build"), "ops/docket")


def docket(*arguments, **more):
    env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **more}
    done = subprocess.run([DOCKET, *arguments], capture_output=True, text=True, env=env, timeout=20,
                          check=False)
    return done.returncode, done.stdout, done.stderr


def nested(*path):
    """Every command of the tree, as its words."""
    said = docket(*path, "--help")[1]
    _, found, commands = said.partition("\ncommands:\n")
    if not found:
        yield path
        return
    for name in re.findall(r"^  (\S+) ", commands.partition("\n\n")[0], re.M):
        yield from nested(*path, name)


COMMANDS = sorted(nested())


def test_the_tree_was_read():
    assert ("key", "create") in COMMANDS and ("config",) in COMMANDS and len(COMMANDS) >= 12


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_says_usage_options_and_exit_codes(path):
    code, said, _ = docket(*path, "--help")
    assert code == 0 and said.startswith("usage: docket " + " ".join(path))
    assert "--help" in said and "exit codes:" in said
    assert docket("help", *path)[1] == said == docket(*path, "-h")[1]


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_an_unknown_option_is_refused(path):
    code, _, why = docket(*path, "--nonsense")
    assert code == 2 and "--nonsense" in why and "usage:" in why


@pytest.mark.parametrize("words, guess", [
    (("ordr",), "order"), (("oredr", "show"), "order"), (("key", "creat"), "create"),
    (("dead", "replay", "7", "--raeson", "x"), "--reason"), (("audit", "list", "--sinc"), "--since")])
def test_a_near_miss_is_guessed(words, guess):
    code, _, why = docket(*words)
    assert code == 2 and f"did you mean {guess}?" in why


@pytest.mark.parametrize("words, said", [
    (("dead", "replay", "7"), "--reason TEXT is missing"),
    (("dead", "replay", "7", "--reason"), "--reason needs its TEXT"),
    (("dead", "replay", "7", "--reason", ""), "must not be empty"),
    (("dead", "show"), "ID is missing"), (("dead", "show", "1", "2"), "2 is one too many"),
    (("key", "revoke", "-5", "--reason", "x"), "no number of a row"), (("key", "list", "--color=red"), "auto|always|never"),
    (("audit", "list", "--limit", "x"), "a number"), (("audit", "list", "--since", "x"), "how long"),
    (("audit", "list", "--since", "2026-02-30"), "how long"),
    (("order", "show", ""), '"" is no [ID]'), (("pause", "", "--reason", "x"), '"" is no NAME'),
    (("dead", "discard", "", "--reason", "x", "--yes"), '"" is no [FILTER…]'),
    (("--json", "status"), "--json comes after a command"), (("-v",), "-v comes after a command"),
    (("dead", "show", "0"), "no id of a dead letter"), (("dead", "show", "inc_zzz"), "no id of a dead letter"),
    (("dead", "show", "9" * 20), "no id of a dead letter"), (("dead", "list", "--limit", "0"), "lists nothing"),
    (("dead", "list", "code:"), "code lacks its value"), (("dead", "list", 'text~"x'), "quote has no end"),
    (("dead", "replay", "code:x", "--reason", "x", "--stop-at", "101"), "at most 100 percent"),
    (("dead", "replay", "code:x", "--reason", "x", "--rate", "9" * 12), "--rate is at most"),
    (("dead", "replay", "code:x", "--reason", "x", "--ramp", "1,,2"), "no ramp"),
    (("order", "list", "--since", "5h", "--until", "6h"), "nothing lies between"),
    (("order", "list", "--at-least", "5EUR", "--at-most", "4EUR"), "no total is both"),
    (("order", "list", "--at-least", "5EUR", "--at-most", "9USD"), "no total is both"),
    (("order", "list", "--at-most", "5"), "with its currency"), (("order", "list", "--limit", "-1"), "0 or more"),
    (("order", "show", "../keys"), "no id of an order"), (("stock", "set", "TEA", "9" * 20, "--reason", "x"), "pieces"),
    (("audit", "list", "--json=1"), "takes no value"), (("audit", "verify", "--expect", "1:"), "head")])
def test_a_mistake_is_named(words, said):
    code, out, why = docket(*words)
    assert code == 2 and said in why and not out


@pytest.mark.parametrize("settings, exit_code, said", [
    ({"DOCKET_OPERATOR_URL": "nonsense"}, 1, "no listener of Docket"),
    ({"DOCKET_OPERATOR_URL": "http://"}, 1, "no listener of Docket"),
    ({"DOCKET_OPERATOR_URL": "file:///etc/passwd"}, 1, "no listener of Docket"),
    ({"DOCKET_OPERATOR_URL": "http://127.0.0.1:9/admin"}, 1, "nothing after it"),
    ({"DOCKET_OPERATOR_KEY": "dk_a\nX: y"}, 1, "DOCKET_OPERATOR_KEY"),
    ({"DOCKET_OPERATOR_URLL": "x"}, 1, "no setting of Docket"),
    ({"DOCKET_OPERATOR_URL": "http://127.0.0.1:9"}, 3, "Is docket-api running"),
    ({"DOCKET_OPERATOR_URL": "http://nohost.invalid:1"}, 3, "Is docket-api running")], ids=str)
def test_a_listener_that_is_none_is_said_before_anything_is_sent(settings, exit_code, said):
    code, out, why = docket("key", "list", "--json", **settings)
    assert code == exit_code and said in why and not out, why


@pytest.mark.parametrize("content, said", [(None, "No such file"), ("", "end of file"), ("root:x", "line 1"),
                                           ('{"products": [], "products": []}', "duplicate")])
def test_a_file_that_is_no_catalogue_is_said(tmp_path, content, said):
    path = tmp_path / "catalogue.json"
    if content is not None:
        path.write_text(content)
    code, _, why = docket("catalogue", "load", str(path), "--reason", "x")
    assert code == 1 and said in why and str(path) in why and "--help" in why and "line -1" not in why, why


def test_the_version_is_said_with_the_schema():
    code, said, _ = docket("--version")
    newest = max(os.path.basename(path)[:4] for path in glob.glob(f"{tree.ROOT}/schema/migrations/*.sql"))
    assert code == 0 and re.fullmatch(rf"docket \d+\.\d+\.\d+, schema {int(newest)}\n", said), said


@pytest.mark.parametrize("end", [">/dev/full", ">&-"])
def test_an_output_that_cannot_be_written_is_a_failure(end):
    done = subprocess.run(["bash", "-c", f'"$0" --help {end}', DOCKET], capture_output=True, text=True,
                          timeout=20, check=False)
    assert done.returncode == 1 and "standard output" in done.stderr


def test_an_output_that_nobody_reads_on_ends_quietly():
    done = subprocess.run(["bash", "-c", '"$0" config | head -1', DOCKET], capture_output=True, text=True,
                          timeout=20, check=False)
    assert done.returncode == 0 and not done.stderr and done.stdout.count("\n") == 1


def complete(*words):
    """What bash itself offers for the last of these words."""
    script = (f'. <("$0" completion bash); COMP_WORDS=("$0" "$@"); COMP_CWORD=$#; _docket; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-uc", script, DOCKET, *words], capture_output=True, text=True,
                          cwd=tree.ROOT, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("words, offered", [
    (("de",), ["dead"]), (("key", ""), ["create", "list", "revoke"]),
    (("key", "list", "--col"), ["--color"]),
    (("key", "list", "--color", "a"), ["auto", "always"]),
    (("dead", "replay", "7", "--reason", "x", "--re"), []), (("help", "ord"), ["order"]),
    (("nonsense", ""), []), (("catalogue", "load", "READ"), ["README.md"])])
def test_bash_completes(words, offered):
    assert complete(*words) == offered


@pytest.fixture(scope="module", name="home")
def make_home(tmp_path_factory):
    """A home in which `docket` is found, and nothing else is set."""
    home = tmp_path_factory.mktemp("home")
    os.symlink(DOCKET, home / "docket")
    return home


def shell_environment(home):
    return {"PATH": f"{home}:{os.environ['PATH']}", "HOME": str(home), "LANG": "C.UTF-8", "TERM": "xterm"}


@pytest.mark.parametrize("line, offered", [
    ("docket de", ["dead"]), ("docket key ", ["create", "list", "revoke"]),
    ("docket key list --color ", ["always", "auto", "never"]), ("docket catalogue load READ", ["README.md"])])
def test_fish_completes(home, line, offered):
    done = subprocess.run(["fish", "-N", "-c", f"docket completion fish | source; complete -C '{line}'"],
                          env=shell_environment(home), capture_output=True, text=True, cwd=tree.ROOT, timeout=20,
                          check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(row.partition("\t")[0] for row in done.stdout.splitlines() if row) == offered


@pytest.mark.parametrize("typed, completed", [
    ("docket dea\t", "docket dead "), ("docket key cr\t", "docket key create "),
    ("docket key list --col\t", "docket key list --color "), ("docket catalogue load READ\t", "load README.md")])
def test_zsh_completes(home, typed, completed):
    with Terminal("zsh", "-f", "-i", env=shell_environment(home)) as shell:
        shell.type(f"cd {tree.ROOT}; autoload -U compinit; compinit -u -D; . <(docket completion zsh); "
                   "PS1=REA''DY:\n")
        shell.wait_shown("READY:", 20, "the prompt")
        shell.type(typed)
        shell.wait_shown(lambda _: completed in shell.plain.rpartition("READY:")[2], 20, completed)


def test_only_shells_that_are_known_have_a_script():
    assert docket("completion", "tcsh")[0] == 2


def test_every_page_of_the_manual_is_good_roff(tmp_path):
    assert docket("man", "--into", str(tmp_path))[0] == 0
    pages = glob.glob(f"{tmp_path}/*.1")
    assert len(pages) == 1 + len({path[0] for path in COMMANDS})
    for page in pages:
        done = subprocess.run(["groff", "-k", "-man", "-ww", "-Tutf8", "-P-c", "-P-b", "-P-u", page],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0 and not done.stderr, done.stderr[:500]
        for part in ("NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "ENVIRONMENT"):
            assert part in done.stdout


def test_text_for_a_program_has_no_colours():
    assert "\033" not in docket("--help")[1]
