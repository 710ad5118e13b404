"""Makes docs/performance.md and its pictures anew: tests/bench/report calls it."""
import argparse
import os
import sys

from . import kept, page, plots
from .write import ROOT

PAGE = os.path.join(ROOT, "docs/performance.md")
FOLDER = os.path.join(ROOT, "docs/performance")
RESULTS = os.path.join(ROOT, "build/bench/results.jsonl")


def words():
    with open(os.path.join(FOLDER, "page.md"), encoding="utf-8") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/report")
    parser.add_argument("--take", action="store_true", help="the newest runs first")
    parser.add_argument("--from", dest="path", default=RESULTS, metavar="FILE")
    parser.add_argument("parts", nargs="*", metavar="PART")
    asked = parser.parse_args()
    if asked.take:
        print("taken:", ", ".join(kept.take(asked.path, asked.parts)))
    parts = kept.parts()
    made = page.Page(words(), parts)
    write(PAGE, made.text())
    for name in plots.PLOTS:
        if plots.PLOTS[name].part in parts:
            write(os.path.join(FOLDER, name + ".svg"), plots.svg(name, parts[plots.PLOTS[name].part]))
    for what in made.unexplained():
        print(f"missed, and the page has no word why ({{{{if missed {what}}}}}): {what}", file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except page.Unknown as unknown:
        sys.exit(f"tests/bench/report: docs/performance/page.md: {unknown}")
