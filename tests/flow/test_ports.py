"""The tests' own ports: what a stopped server listened on is kept for it, whatever other runs look for."""
import os
import subprocess
import sys

from docket_local import ports
from harness.services import ROOT

OTHER = "from harness.services import reserve; import sys; sys.exit(reserve(int(sys.argv[1])))"


def test_another_run_gets_no_port_of_ours_though_nobody_listens_there(services):
    port = services.free_port()
    assert ports.is_free(port)
    path = os.pathsep.join(os.path.join(ROOT, folder) for folder in ("tests", "ops/lib"))
    done = subprocess.run([sys.executable, "-B", "-c", OTHER, str(port)], env=os.environ | {"PYTHONPATH": path},
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"port {port} was taken\n{done.stderr}"
