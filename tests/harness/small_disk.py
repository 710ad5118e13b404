"""A disk of a test's own, so small that it is soon full, and the node_exporter that watches it.

A tmpfs in a mount namespace of the exporter's, so that nobody else sees it and no right of root is needed; the exporter
is told of no other mount.
"""
import http.client
import os
import shutil
import subprocess
import tempfile

from .wait import wait_for

MIB = 1024 * 1024
SIZE_MIB = 16
SCRIPT = """
mount -t tmpfs -o size=$1m tmpfs "$2" && exec prometheus-node-exporter --collector.disable-defaults \\
    --collector.filesystem --path.procfs="$3" --web.listen-address=127.0.0.1:$4
"""


def may_be_made():
    return subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True).returncode == 0


class SmallDisk:
    def __init__(self, port):
        self.directory = tempfile.mkdtemp(prefix="docket-disk-")
        place, proc = (os.path.join(self.directory, name) for name in ("disk", "proc"))
        os.makedirs(place)
        os.makedirs(os.path.join(proc, "1"))
        with open(os.path.join(proc, "1/mounts"), "w", encoding="utf-8") as mounts:
            mounts.write(f"tmpfs {place} tmpfs rw 0 0\n")
        self.target = f"127.0.0.1:{port}"
        self.child = subprocess.Popen(["unshare", "-rm", "sh", "-c", SCRIPT, "sh", str(SIZE_MIB), place, proc, str(port)],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.path = f"/proc/{self.child.pid}/root{place}"  # as it is seen from outside
        wait_for(lambda: self._is_watched(port), 20, "node_exporter tells of the disk")

    @staticmethod
    def _is_watched(port):
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=5)  # no program of ours: not by harness.client
        try:
            link.request("GET", "/metrics")
            return b"node_filesystem_avail_bytes{" in link.getresponse().read()
        except OSError:
            return False
        finally:
            link.close()

    def fill(self, name, left_mib):
        with open(os.path.join(self.path, name), "wb") as file:
            file.write(bytes((SIZE_MIB - left_mib) * MIB))

    def close(self):
        self.child.terminate()
        self.child.wait(20)
        shutil.rmtree(self.directory)
