"""A Docket with bugs in it, to see that the books notice: the negative control of all of this.

The sources are copied beside the build, changed there, and built like any other; nothing that ships
knows of it.  A change that no longer fits the source fails the test that plants it.
"""
import filecmp
import os
import shutil
import subprocess

import tree

HOME = os.path.join(tree.ROOT, "build-planted")
PROGRAMS = {"api": "api/docket-api", "relay": "workers/docket-relay",
            "payment": "workers/docket-worker"}
# file, what stands there, what stands there instead
BUGS = {
    "ack before the outcome is committed": [
        ("workers/job.c", "    amqp_consumer_ack(job->source->consumer, job->link, job->tag);\n", ""),
        ("workers/job.c", "    job->tag = delivery->tag;\n",
         "    job->tag = delivery->tag;\n"
         "    amqp_consumer_ack(job->source->consumer, job->link, job->tag);\n"),
    ],
    "outbox row deleted before its confirm": [
        ("queue/publish.c", "    publish_row(row, result, at);\n",
         "    settle_row(row);\n    publish_row(row, result, at);\n"),
        ("queue/publish.c", "    if (--row->unsettled == 0)\n        end_row(row);\n",
         "    row->unsettled--;\n"),
        ("queue/publish.c", "    LIST_REMOVE(row, entry);\n    free_row(row);\n",
         "    LIST_REMOVE(row, entry);\n"),
    ],
    "202 on the result of the INSERT": [
        ("queue/group.c", "#include <assert.h>\n",
         "#include <assert.h>\n#include <string.h>\n"),
        ("queue/group.c",
         "            batch->group->work->on_rows(batch, batch->answered - batch->asides_answered, result);\n",
         "            batch->group->work->on_rows(batch, batch->answered - batch->asides_answered, result);\n"
         "        if (batch->is_whole && batch->answered + 1 == batch->sent &&\n"
         "            strcmp(batch->group->work->name, \"accept\") == 0) {\n"
         "            struct group_ticket *ticket;\n"
         "            TAILQ_FOREACH (ticket, &batch->tickets, next) {\n"
         "                ticket->is_settled = true;\n"
         "                ticket->outcome = GROUP_COMMITTED;\n"
         "                ticket->on_settled(ticket);\n"
         "            }\n"
         "        }\n"),
    ],
}


def build():
    """The programs with every bug in them; each test runs one of them among healthy others."""
    sources, out = os.path.join(HOME, "tree"), os.path.join(HOME, "out")
    wanted = {path: text for path, text in changed_texts()}
    for path in _paths():
        _place(os.path.join(tree.ROOT, path), os.path.join(sources, path), wanted.get(path))
    if not os.path.exists(out + "/build.ninja"):
        _run("meson", "setup", "-Dpoints=true", "-Dwerror=false", out, sources)
    _run("ninja", "-C", out, "-j2", *PROGRAMS.values())
    return {name: os.path.join(out, path) for name, path in PROGRAMS.items()}


def _paths():
    return ["meson.build", "meson_options.txt", "docs/errors.md",
            *tree.files(".c", ".h", ".sql", ".py", "meson.build", ".yaml")]


def changed_texts():
    """(path, its text with the bugs in it); fails where one no longer fits."""
    texts = {"meson.build": tree.text("meson.build").replace("subdir('tests')\n", "")}
    for changes in BUGS.values():
        for path, old, new in changes:
            text = texts.get(path) or tree.text(path)
            assert text.count(old) == 1, f"{path} no longer has one {old!r}"
            texts[path] = text.replace(old, new)
    return texts.items()


def _place(source, target, text):
    """Only what differs is written, so that ninja builds only that again."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if text is None:
        if not os.path.exists(target) or not filecmp.cmp(source, target, shallow=False):
            shutil.copyfile(source, target)
        return
    if not os.path.exists(target) or open(target, encoding="utf-8").read() != text:
        with open(target, "w", encoding="utf-8") as file:
            file.write(text)


def _run(*argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
