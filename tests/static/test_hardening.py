"""Each hardening flag that this compiler knows, proven on the release binaries."""
import ctypes
import glob
import json
import os
import re
import shlex
import subprocess

import pytest
import tree

from docket_local.programs import BINARIES

COMPILE_FLAGS = (
    "-O2", "-Wall", "-Wformat=2", "-Wconversion", "-Wimplicit-fallthrough",
    "-Werror=format-security", "-Werror=implicit", "-Werror=incompatible-pointer-types",
    "-Werror=int-conversion", "-Wtrampolines", "-Wbidi-chars=any",
    "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=3", "-fstrict-flex-arrays=3",
    "-fstack-clash-protection", "-fstack-protector-strong", "-fcf-protection=full",
    "-fno-delete-null-pointer-checks", "-fno-strict-overflow", "-fno-strict-aliasing",
    "-ftrivial-auto-var-init=zero", "-fhardened", "-fzero-init-padding-bits=all",
)
# Not recorded in the debug information: macros and warnings.
IN_THE_BINARY = tuple(flag for flag in COMPILE_FLAGS if flag.startswith(("-f", "-O")))
IMPLIED = {"-fhardened"}  # a newer compiler's name for what is asked for one by one

programs = pytest.mark.parametrize("program", BINARIES)


def knows(flag):
    return subprocess.run(["gcc", "-Werror", "-O2", flag, "-c", "-x", "c", "-o", "/dev/null", "-"],
                          input=b"int x;\n", capture_output=True, check=False).returncode == 0


def known():
    return [flag for flag in COMPILE_FLAGS if flag not in IMPLIED and knows(flag)]


def readelf(program, *options):
    path = os.path.join(tree.BUILD, BINARIES[program])
    assert os.path.exists(path), f"{path} was not built"
    return subprocess.run(["readelf", "-W", *options, path], capture_output=True, text=True,
                          check=True).stdout


def test_every_source_is_compiled_with_every_known_flag():
    with open(os.path.join(tree.BUILD, "compile_commands.json"), encoding="utf-8") as file:
        entries = json.load(file)
    flags = known()
    assert len(flags) >= 18, flags
    missing = [f"{entry['file']}: {flag}" for entry in entries for flag in flags
               if flag not in shlex.split(entry["command"])]
    assert not missing, "\n".join(missing[:20])


@programs
def test_the_binary_says_that_it_was_compiled_with_them(program):
    """Each of our compile units records its options."""
    told = readelf(program, "--debug-dump=info")
    units = set(re.findall(r"DW_AT_producer\s*:.*?(GNU C17.*)", told))
    assert units, "no compile unit with its options"
    wanted = [flag for flag in known() if flag in IN_THE_BINARY]
    assert len(wanted) >= 7, wanted
    missing = [f"{flag} not in: {unit}" for unit in units for flag in wanted
               if flag not in unit.split()]
    assert not missing, "\n".join(missing[:5])


@programs
def test_is_position_independent(program):
    assert re.search(r"Type:\s+DYN", readelf(program, "-h"))
    assert re.search(r"FLAGS_1.*\bPIE\b", readelf(program, "-d"))


@programs
def test_is_bound_before_it_runs_and_read_only_after(program):
    dynamic = readelf(program, "-d")
    assert "GNU_RELRO" in readelf(program, "-l")
    assert re.search(r"FLAGS_1.*\bNOW\b", dynamic) and "BIND_NOW" in dynamic


@programs
def test_cannot_be_loaded_into_another(program):
    """-Wl,-z,nodlopen: ld drops the mark from an executable, since the loader refuses those
    whatever they are marked; so the refusal is what is shown."""
    with pytest.raises(OSError, match="cannot dynamically load"):
        ctypes.CDLL(os.path.join(tree.BUILD, BINARIES[program]))


@programs
def test_no_memory_is_writable_and_executable(program):
    segments = [line.split() for line in readelf(program, "-l").splitlines()
                if re.match(r"\s+(LOAD|GNU_STACK)\s", line)]
    assert any(fields[0] == "GNU_STACK" for fields in segments)
    assert not [fields for fields in segments if {"W", "E"} <= set("".join(fields[6:-1]))], segments
    assert "TEXTREL" not in readelf(program, "-d")


@programs
def test_looks_for_no_library_beside_the_system(program):
    dynamic = readelf(program, "-d")
    assert "RPATH" not in dynamic and "RUNPATH" not in dynamic


@programs
def test_guards_its_stack_and_its_copies(program):
    symbols = readelf(program, "--dyn-syms")
    assert "__stack_chk_fail" in symbols
    assert re.search(r"__\w+_chk\b(?<!__stack_chk)", symbols), "no fortified call"


@programs
def test_marks_its_jump_targets(program):
    """-fcf-protection=full.  Debian's start files have no note of it, so that the linker leaves the
    note away in the whole; each of our functions begins with the mark all the same."""
    path = os.path.join(tree.BUILD, BINARIES[program])
    code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", "--disassemble=main", path],
                          capture_output=True, text=True, check=True).stdout
    assert re.search(r"<main>:\n\s+\w+:\s+endbr64", code), code[:400]


def test_every_object_of_ours_has_the_note_of_cf_protection():
    objects = glob.glob(os.path.join(tree.BUILD, "*", "lib*.a.p", "*.o"))
    assert objects
    told = subprocess.run(["readelf", "-Wn", *objects], capture_output=True, text=True,
                          check=True).stdout
    assert told.count("x86 feature: IBT, SHSTK") == len(objects)


LINK_FLAGS = ("-pie", "-Wl,-z,nodlopen", "-Wl,-z,noexecstack", "-Wl,-z,relro", "-Wl,-z,now",
              "-Wl,--as-needed")


@programs
def test_is_linked_with_every_flag(program):
    with open(os.path.join(tree.BUILD, "build.ninja"), encoding="utf-8") as file:
        rule = file.read().partition(f"\nbuild {BINARIES[program]}: c_LINKER")[2]
    arguments = re.search(r"^ LINK_ARGS = (.*)$", rule, re.M)[1].replace('"', "").split()
    assert not [flag for flag in LINK_FLAGS if flag not in arguments], arguments


@programs
def test_links_only_what_it_needs(program):
    """-Wl,--as-needed: a library without a symbol in use is not loaded."""
    path = os.path.join(tree.BUILD, BINARIES[program])
    unused = subprocess.run(["ldd", "-u", path], capture_output=True, text=True, check=False).stdout
    assert not re.findall(r"^\s+/\S+", unused, re.M), unused
