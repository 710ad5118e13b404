"""Every process is killed at every commit, publish, ack and outside call; then the books agree.

One case by name:
    ops/test 'tests/fault/test_kills.py::test_killed[payment-payment_confirm.call_sent:1]'
"""
import os
import queue
import threading
from concurrent.futures import Future

import campaign
import points
import pytest
from lane import Lane

from harness import TRAVELLERS

LANES = int(os.environ.get("DOCKET_LANES", "3"))  # Dockets side by side
KILLS = campaign.kills()


class Campaign:
    """The wanted kills, worked off by a few lanes at once; a lane whose books do not agree is left
    as it is, and its work goes on in a new one."""

    def __init__(self, services, wanted):
        self.services = services
        self.results = {kill: Future() for kill in wanted}
        self.work = queue.SimpleQueue()
        for kill in wanted:
            self.work.put(kill)
        self.lanes, self.used = [], {}
        self.threads = [threading.Thread(target=self._run, daemon=True)
                        for _ in range(min(LANES, len(wanted)))]
        for thread in self.threads:
            thread.start()

    def _run(self):
        lane = None
        while True:
            try:
                kill = self.work.get_nowait()
            except queue.Empty:
                return
            try:
                if lane is None:
                    lane = Lane(self.services)
                    self.lanes.append(lane)
                self.used[kill] = lane
                lane.kill(kill)
                self.results[kill].set_result(True)
            except BaseException as error:  # pylint: disable=broad-except; the case raises it
                self.results[kill].set_exception(error)
                lane = self._give_up(lane)

    def _give_up(self, lane):
        """Its logs and tables stay for the report; its processes and their sessions do not."""
        if lane is not None:
            self.lanes.remove(lane)
            lane.end()

    def close(self):
        while not self.work.empty():
            self.work.get_nowait()
        for thread in self.threads:
            thread.join(120)
        wrong = []
        for lane in self.lanes:
            try:
                lane.close()
            except AssertionError as error:
                wrong.append(str(error))
        assert not wrong, "\n".join(wrong)


@pytest.fixture(scope="module")
def running(request, services):
    wanted = [item.callspec.params["kill"] for item in request.session.items
              if item.nodeid.partition("::")[0] == request.node.nodeid
              and hasattr(item, "callspec") and "kill" in item.callspec.params]
    campaign_running = Campaign(services, wanted)
    yield campaign_running
    campaign_running.close()


@pytest.mark.parametrize("kill", KILLS, ids=str)
def test_killed(request, running, kill):
    try:
        running.results[kill].result(timeout=600)
    except BaseException:
        request.node.stash[TRAVELLERS] = [running.used[kill].docket] if kill in running.used else []
        raise


@pytest.mark.parametrize("process", campaign.PROCESSES)
def test_no_process_passes_a_point_that_it_is_not_killed_at(running, process):
    """What the runs above have reached, by the log that base/point.c keeps."""
    for result in running.results.values():
        result.exception(timeout=600)
    if not running.used:
        pytest.skip("nothing was killed in this run")
    passed = running.used[next(iter(running.used))].docket.points_hit(process)
    assert passed <= campaign.of_process(process), passed - campaign.of_process(process)


def test_every_point_of_the_source_is_one_that_somebody_is_killed_at():
    killed_at = {kill.point for kill in KILLS}
    assert points.all_points() - killed_at == set(campaign.EXCEPTIONS), \
        "points without a kill, or exceptions that are none"
    assert killed_at <= points.all_points(), "kills at points that the source does not have"
