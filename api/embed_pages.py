#!/usr/bin/python3
"""Turns what docket-api serves of itself into C that is linked in: YAML as JSON, all else as it is.

usage: embed_pages.py OUT.c NAME=FILE...
"""
import hashlib
import json
import pathlib
import sys

import yaml

LITERAL_BYTES = 72


def content(path):
    if path.suffix != ".yaml":
        return path.read_bytes()
    value = yaml.safe_load(path.read_text(encoding="utf-8"))
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def literal(data):
    """Octal for what is not plain, so that no escape runs into the next byte."""
    return "".join(chr(byte) if 32 <= byte < 127 and byte not in b'"\\?' else f"\\{byte:03o}"
                   for byte in data)


def page(name, data):
    pieces = [data[at:at + LITERAL_BYTES] for at in range(0, len(data), LITERAL_BYTES)]
    yield f"\nconst struct page page_{name} = {{\n"
    yield f'    "\\"{hashlib.sha256(data).hexdigest()[:16]}\\"",\n    {len(data)},\n'
    yield "\n".join(f'    "{literal(piece)}"' for piece in pieces)
    yield ",\n};\n"


def main():
    target, *named = sys.argv[1:]
    with open(target, "w", encoding="ascii") as source:
        source.write('#include "api/pages.h"\n')
        for name, _, path in (item.partition("=") for item in named):
            source.writelines(page(name, content(pathlib.Path(path))))


main()
