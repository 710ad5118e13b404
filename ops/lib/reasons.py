"""The table of docs/api.md that tells what a customer may be told, made from schema/reasons.c:
python3 ops/lib/reasons.py writes it anew (--check: says whether it is as it should be)."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGE = os.path.join(ROOT, "docs/api.md")
BLOCK = re.compile(r"(// reasons\.js[^\n]*\nexport const reasons = \{\n).*?(^\};\n)", re.S | re.M)


def rows():
    """(name, whether the customer is to act, words) of each row."""
    with open(os.path.join(ROOT, "schema/reasons.c"), encoding="utf-8") as file:
        source = file.read()
    found = re.findall(r'\{"(\w+)",\s*REASON_(WAIT|ACT),\s*((?:"[^"\n]*"\s*)+)\}', source)
    assert len(found) == source.count("REASON_WAIT") + source.count("REASON_ACT"), "a row reads otherwise"
    return [(name, turn == "ACT", "".join(re.findall(r'"([^"\n]*)"', words)))
            for name, turn, words in found]


def rendered():
    return "".join("  %s: { act: %s, tell: '%s' },\n" % (name, str(acts).lower(), words.replace("'", "\\'"))
                   for name, acts, words in rows())


def page(text):
    made, count = BLOCK.subn(lambda match: match[1] + rendered() + match[2], text)
    assert count == 1, "docs/api.md has no block `// reasons.js`"
    return made


if __name__ == "__main__":
    with open(PAGE, encoding="utf-8") as shown:
        before = shown.read()
    if sys.argv[1:] == ["--check"]:
        sys.exit(0 if page(before) == before else "run: python3 ops/lib/reasons.py")
    with open(PAGE, "w", encoding="utf-8") as shown:
        shown.write(page(before))
