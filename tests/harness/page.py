"""The page of docs/api.md: its files as they are printed, and a server of their origin."""
import functools
import http.server
import os
import re
import subprocess
import threading

from .services import ROOT

NAMES = {"js": r"// (\w+\.js)", "html": r"<!-- (\w+\.html) -->"}


def blocks():
    """(language, text) of each fenced block."""
    with open(os.path.join(ROOT, "docs/api.md"), encoding="utf-8") as file:
        return re.findall(r"^```(\w+)\n(.*?)^```$", file.read(), re.S | re.M)


def files():
    """name → text of the files that the page tells to write."""
    found = {re.search(NAMES[language], text)[1]: text for language, text in blocks() if language in NAMES}
    assert set(found) == {"docket.js", "reasons.js", "index.html"}, set(found)
    return found


def write(directory, url, key, body):
    """The page, as its reader leaves it there, talking to `url`; `body` is the text of order.json."""
    for name, text in files().items():
        (directory / name).write_text(text)
    home = directory / "home"
    home.mkdir(exist_ok=True)
    (home / "env").write_text(f"export DOCKET_URL={url} DOCKET_KEY={key}\n")
    (home / "order.json").write_text(body)
    script, = (text for language, text in blocks() if language == "sh")
    subprocess.run(["bash", "-euc", script], cwd=directory, check=True,
                   env={"PATH": os.environ["PATH"], "DOCKET_HOME": str(home)})


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def end_headers(self):
        self.send_header("Cache-Control", "no-store")
        super().end_headers()


class Site:
    """An origin that serves a directory."""

    def __init__(self, directory):
        self.directory = directory
        handler = functools.partial(Quiet, directory=str(directory))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
