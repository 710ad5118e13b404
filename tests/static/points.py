"""The kill points that the source has (base/point.h): whose work, and at which moment.

Read from the code that reaches them, so that new work cannot be forgotten: the name of every
group_work, errand and worker session, of every publisher, consumer and outside call.
"""
import re

import tree

MOMENTS = {
    "commit": ("commit_before", "commit_sent", "commit_after"),
    "publish": ("publish_before", "publish_after", "confirm_received"),
    "ack": ("ack_before", "ack_after"),
    "call": ("call_before", "call_sent", "call_after"),
}
# What may end a transaction, and where the name of its points is given.
COMMITTING = ("group_work", "errand_options", "ask_options", "duty_options")
LAST_ARGUMENT = {"amqp_publisher_create": "publish", "amqp_consumer_create": "ack"}


class Nameless(Exception):
    """Work whose points have no name that can be read from the source."""


def sources():
    return {path: tree.without_comments(tree.text(path))
            for path in tree.files(".c", ".h") if not path.startswith("ops/sandbox/")}


def known():
    """{name of work: what it does (a key of MOMENTS)}; a name may do more than one thing."""
    found = {(name, kind) for path, code in sources().items()
             for name, kind in names_in(path, code)}
    assert found, "no work has points"
    return found


def all_points():
    return {f"{name}.{moment}" for name, kind in known() for moment in MOMENTS[kind]}


def names_in(path, code):
    for struct in COMMITTING:
        for body in initializers(code, struct):
            if (name := member(body, "name")) not in handed_on(code):
                yield from ((name, "commit") for name in values(path, code, name))
        for variable in re.findall(rf"struct {struct} (\w+) = ", code):
            yield from ((name, "commit") for name in
                        re.findall(rf'\b{variable}\.name = "(\w+)"', code))
    for match in re.finditer(r'char point_name\[\] = "(\w+)"', code):
        yield match[1], "commit"
    for call, kind in LAST_ARGUMENT.items():
        for arguments in calls(code, call):
            if not re.search(r"\bconst char \*point$", arguments):  # its own declaration
                last = split(arguments)[-1]
                yield from ((name, kind) for name in values(path, code, last))
    for body in initializers(code, "http_call"):
        if member(body, "point") == "NULL":
            continue  # a call that changes nothing which anybody was promised
        yield from ((name, "call") for name in values(path, code, member(body, "point")))


def handed_on(code):
    """The expressions by which a name that the caller gave is passed to the one below."""
    return {f"{variable}->name" for struct in COMMITTING
            for variable in re.findall(rf"const struct {struct} \*(\w+)[,)]", code)}


def initializers(code, struct):
    """The text between the braces of every initializer of that struct."""
    for match in re.finditer(rf"struct {struct}\b(?:\s+\w+\s*=\s*|\)\s*)\{{", code):
        yield enclosed(code, match.end() - 1)


def calls(code, function):
    for match in re.finditer(rf"\b{function}\(", code):
        yield enclosed(code, match.end() - 1)


def enclosed(code, start):
    """What stands between the bracket at `start` and its partner."""
    depth = 0
    for end in range(start, len(code)):
        depth += (code[end] in "({[") - (code[end] in ")}]")
        if depth == 0:
            return code[start + 1:end]
    raise Nameless(f"no end of {code[start:start + 80]!r}")


def split(text):
    """At the commas that are in no brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "({[") - (character in ")}]")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def member(body, name):
    for part in split(body):
        if match := re.fullmatch(rf"\.{name}\s*=\s*(.*)", part, re.S):
            return match[1]
    raise Nameless(f"an initializer without .{name}: {{{body.strip()[:120]}")


def values(path, code, expression):
    """The strings that an expression may be: literals, a macro, a function of this file that
    returns literals, or a member that initializers elsewhere set."""
    found = re.findall(r'"([^"]*)"', expression)
    if expression.startswith("topology_queue("):
        found = stage_queues()
    if not found and (match := re.match(r"(\w+)\(", expression)):
        found = re.findall(r'return "([^"]*)"', body_of(code, match[1]))
    if not found and (match := re.search(r"->(\w+)$", expression)):
        found = member_values(match[1])
    if not found and re.fullmatch(r"[A-Z_]+", expression):
        found = macro(expression)
    if not found:
        raise Nameless(f"{path}: {expression} names no points that can be read here")
    return found


def stage_queues():
    """The queue of each row of the one table of stages."""
    return ["docket." + name for name in
            re.findall(r"^\s*STAGE\(\d+, \w+, (\w+)\)", tree.text("schema/stages.h"), re.M)]


def body_of(code, function):
    match = re.search(rf"^[^\n;{{}}]*\b{function}\([^;{{}}]*\)\n\{{", code, re.M)
    return enclosed(code, match.end() - 1) if match else ""


def member_values(name):
    found = []
    for code in sources().values():
        for expression in re.findall(rf"^    \.{name} = (\w+),", code, re.M):
            found += macro(expression)
    return found


def macro(name):
    return [match[1] for code in sources().values()
            for match in re.finditer(rf'#define {name}\s+"([^"]*)"', code)]
