"""docket.js of docs/api.md, run by node against a real shop: ordered once, through lost answers and a reload."""
import json
import subprocess

import pytest

from docket_local import order
from harness.cutter import CUTS, Cutter
from harness.page import files

PAGE = """
import { order, follow } from '%(script)s';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
const kept = %(kept)s;
async function keep(change = (now) => now) {
  const after = change(existsSync(kept) ? JSON.parse(readFileSync(kept)) : undefined);
  if (after) writeFileSync(kept, JSON.stringify(after));
  else rmSync(kept, { force: true });
  return after;
}
const api = { url: '%(url)s', key: '%(key)s' };
try {
  const receipt = await order(api, keep, %(body)s);
  console.log(JSON.stringify(receipt.id));
  if (%(follows)s) await follow(api, keep, receipt, (now) => console.log(JSON.stringify(now.status)));
} catch (error) {
  console.log(JSON.stringify({ code: error.code, accepted: error.accepted }));
}
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "docket.mjs"
    path.write_text(files()["docket.js"])
    return path


def open_page(shop, script, url, body, follows=True):
    """What the page showed until it was done; opened again, it is the same customer."""
    source = PAGE % {"script": script, "kept": json.dumps(str(script.parent / "kept")), "url": url,
                     "key": shop.checkout, "body": json.dumps(body), "follows": json.dumps(follows)}
    page = script.parent / "page.mjs"
    page.write_text(source)
    done = subprocess.run(["node", str(page)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_lost_answers_and_a_reload_make_one_order(shop, script):
    before = shop.one("SELECT count(*) FROM orders")
    body = shop.order_body()
    cutter = Cutter(shop.port("api"), CUTS)
    try:
        first = open_page(shop, script, cutter.url, body, follows=False)
    finally:
        cutter.close()
    again, *statuses = open_page(shop, script, f"http://127.0.0.1:{shop.port('api')}", body)
    assert first == [again] and cutter.cuts == []
    assert statuses[-1] == "fulfilled", statuses
    assert shop.one("SELECT count(*) FROM orders") == before + 1
    assert not (script.parent / "kept").exists()
    assert shop.one("SELECT count(*) FROM payment_attempt WHERE order_id = %s AND captured = 7020",
                    order.to_uuid(again)) == 1


def test_a_refusal_frees_the_key(shop, script):
    body = shop.order_body(expected_total={"amount": 1, "currency": "EUR"})
    told, = open_page(shop, script, f"http://127.0.0.1:{shop.port('api')}", body)
    assert told == {"code": "total_changed", "accepted": "no"}
    assert not (script.parent / "kept").exists()
