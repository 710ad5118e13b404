"""Debian's Chromium, driven through tests/browser/driver.mjs."""
import itertools
import json
import os
import subprocess

from . import web
from .services import ROOT

DRIVER = os.path.join(ROOT, "tests/browser/driver.mjs")


class Browser:
    def __init__(self):
        web.install()
        self.child = subprocess.Popen(["node", DRIVER, web.WEB], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)
        self.numbers = itertools.count(1)

    def person(self):
        """A customer with storage of its own."""
        return Person(self, next(self.numbers))

    def ask(self, act, **more):
        self.child.stdin.write(json.dumps({"act": act, **more}) + "\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        assert line, f"the browser is gone at {act} {more}"
        answer = json.loads(line)
        assert "error" not in answer, f"{act} {more}: {answer['error']}"
        return answer["value"]

    def close(self):
        self.child.stdin.close()
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()


class Person:
    def __init__(self, browser, number):
        self.browser, self.number = browser, number

    def open(self, url, clock=False):
        """clock: its time is the test's (Tab.forward)."""
        tab = Tab(self.browser, next(self.browser.numbers))
        self.browser.ask("open", person=self.number, tab=tab.number, url=url, clock=clock)
        return tab

    def leave(self):
        """All tabs are closed, and nothing is kept."""
        self.browser.ask("leave", person=self.number)


class Tab:
    def __init__(self, browser, number):
        self.browser, self.number = browser, number

    def _ask(self, act, **more):
        return self.browser.ask(act, tab=self.number, **more)

    def click(self, selector):
        self._ask("click", selector=selector)

    def reload(self):
        self._ask("reload")

    def value(self, expression):
        return self._ask("value", expression=expression)

    def wait(self, expression):
        """Until it is true in the page."""
        self._ask("wait", expression=expression)

    def forward(self, ms):
        self._ask("forward", ms=ms)

    def errors(self):
        """What no script of the page caught."""
        return self._ask("errors")
