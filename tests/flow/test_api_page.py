"""The script of docs/api.md, run by node against a real shop: ordered once, through lost answers and a reload."""
import json
import os
import re
import socket
import subprocess
import threading

import pytest

from docket_local import order
from harness.services import ROOT

PAGE = """
import { order, follow } from '%(script)s';
import { readFileSync, writeFileSync } from 'node:fs';
const kept = %(kept)s;
const store = {
  getItem: (name) => { try { return readFileSync(kept, 'utf8') || null; } catch { return null; } },
  setItem: (name, value) => writeFileSync(kept, value),
  removeItem: (name) => writeFileSync(kept, ''),
};
const api = { url: '%(url)s', key: '%(key)s' };
try {
  const receipt = await order(api, store, %(body)s);
  console.log(JSON.stringify(receipt.id));
  if (%(follows)s) await follow(api, store, receipt, (now) => console.log(JSON.stringify(now.status)));
} catch (error) {
  console.log(JSON.stringify({ code: error.code, accepted: error.accepted }));
}
"""


@pytest.fixture
def script(tmp_path):
    with open(os.path.join(ROOT, "docs/api.md"), encoding="utf-8") as file:
        block, = re.findall(r"```js\n(.*?)```", file.read(), re.S)
    path = tmp_path / "docket.mjs"
    path.write_text(block)
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


class Cutter:
    """Passes connections on; the first `cuts` are cut once the request has gone out, alternately before and
    after its answer has come back."""

    def __init__(self, port, cuts):
        self.port, self.cuts = port, cuts
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client):
        server = socket.create_connection(("127.0.0.1", self.port))
        cut, self.cuts = self.cuts, max(0, self.cuts - 1)
        if cut:
            request = client.recv(65536)
            while b'"payment"' not in request:
                request += client.recv(65536)
            server.sendall(request)
            if cut % 2:
                server.recv(65536)
            client.close()
            server.close()
            return
        back = threading.Thread(target=self._copy, args=(server, client), daemon=True)
        back.start()
        self._copy(client, server)

    @staticmethod
    def _copy(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.listener.close()


def test_lost_answers_and_a_reload_make_one_order(shop, script):
    before = shop.one("SELECT count(*) FROM orders")
    body = shop.order_body()
    cutter = Cutter(shop.port("api"), cuts=2)
    try:
        first = open_page(shop, script, cutter.url, body, follows=False)
    finally:
        cutter.close()
    again, *statuses = open_page(shop, script, f"http://127.0.0.1:{shop.port('api')}", body)
    assert first == [again] and cutter.cuts == 0
    assert statuses[-1] == "fulfilled", statuses
    assert shop.one("SELECT count(*) FROM orders") == before + 1
    assert not (script.parent / "kept").read_text()
    assert shop.one("SELECT count(*) FROM payment_attempt WHERE order_id = %s AND captured = 7020",
                    order.to_uuid(again)) == 1


def test_a_refusal_frees_the_key(shop, script):
    body = shop.order_body(expected_total={"amount": 1, "currency": "EUR"})
    told, = open_page(shop, script, f"http://127.0.0.1:{shop.port('api')}", body)
    assert told == {"code": "total_changed", "accepted": "no"}
    assert not (script.parent / "kept").read_text()
