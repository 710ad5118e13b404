"""docs/performance.md is what tests/bench/report makes of the words and the results that are kept."""
import json
import os
import re
import sys

import pytest
import tree

sys.path.append(os.path.join(tree.ROOT, "tests/bench"))

from book import kept, plots  # noqa: E402
from book.page import Page, Unknown  # noqa: E402

AGAIN = "run: tests/bench/report"
RUN = [{"is": "begin", "commit": "abc", "command": "tests/bench/run drain", "cpu": "X", "cores": 2, "memory_gib": 4,
        "kernel": "6", "versions": "postgresql-15 15.1"},
       {"is": "run", "label": "docket-relay", "round": 0, "per_s": 123.456789, "foreign_cores": 0.1, "report": {"long": 1}},
       {"is": "table", "title": "rates", "columns": ["per s", "empty"], "rows": {"docket-relay": [[1.0, 3.0], []]}},
       {"is": "verdict", "what": "a rate", "values": [1.0, 3.0], "target": 2.5, "sign": "≥", "unit": "×"},
       {"is": "end"}]


def lines(began, *left_out):
    return [{"part": "drain", "began": began, **line} for line in RUN if line["is"] not in left_out]


def made(words, *taken):
    return Page(words, {"drain": kept.Part(list(taken) or lines("2026-11-01T00:00"))}).text().partition("-->\n")[2]


def test_the_page_is_made_of_the_words_and_the_kept_results():
    assert Page(tree.text("docs/performance/page.md"), kept.parts()).text() == tree.text("docs/performance.md"), AGAIN


def test_every_picture_is_drawn_from_the_kept_results():
    shown = set(re.findall(r"\(performance/(\w+)\.svg\)", tree.text("docs/performance.md")))
    there = {name[:-4] for name in os.listdir(tree.ROOT + "/docs/performance") if name.endswith(".svg")}
    assert shown == there, AGAIN
    old = [name for name in shown if tree.text(f"docs/performance/{name}.svg").splitlines()[-1] != plots.stamp(name)]
    assert not old, AGAIN


def test_what_was_found_is_judged_by_the_page():
    assert "| a rate ≥ 2.5 × | 2 (1–3) × | **missed** |" in made("{{targets drain}}")
    assert made("{{table drain: rates}}") == "| | per s |\n|---|---|\n| docket-relay | 2 (1–3) |"
    assert made("it is {{a rate of drain}}, {{per s of docket-relay in drain: rates}}") == "it is 2 (1–3) ×, 2 (1–3)"
    assert made("{{if missed drain: a rate}}\nwhy\n{{end}}\nx") == "why\nx"
    assert made("{{if reached drain: a rate}}\nwhy\n{{end}}\nx") == "x"
    assert "run drain` at abc, 2026-11-01, others used 0.1 cores" in made("{{about drain}}")


@pytest.mark.parametrize("words", ["{{targets nothing}}", "{{table drain: no}}", "{{plot no}}", "{{no of drain}}",
                                   "{{if missed drain: no}}"])
def test_words_about_what_was_not_measured_are_refused(words):
    with pytest.raises(Unknown):
        made(words)


def test_a_part_without_a_result_says_so():
    assert Page("{{about hops}}\n{{targets hops}}\n{{plot hops}}", {}).text().endswith(
        "-->\n*No result of `tests/bench/run hops` is kept.*")


def test_the_newest_whole_run_takes_the_place_of_the_kept_one(tmp_path):
    written = lines("2026-11-01T00:00") + lines("2026-11-02T00:00") + lines("2026-11-03T00:00", "end")
    (tmp_path / "runs").write_text("".join(json.dumps(line) + "\n" for line in written), encoding="utf-8")
    assert kept.take(tmp_path / "runs", directory=tmp_path) == ["drain"]
    part = kept.parts(tmp_path)["drain"]
    assert part.began == "2026-11-02T00:00" and part.foreign_cores() == (0.1, 0.1)
    (record,) = part.runs["docket-relay"]
    assert record["per_s"] == 123.46 and "report" not in record
