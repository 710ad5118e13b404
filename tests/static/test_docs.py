"""The pages that are made from the code are those that the code makes now."""
import os
import subprocess

import tree

BUILD = os.path.join(tree.ROOT, os.environ.get("DOCKET_BUILD", "build"))


def test_the_table_of_settings_is_the_one_of_the_code():
    printed = subprocess.run([BUILD + "/ops/docket", "config"], capture_output=True, text=True,
                             check=True).stdout
    assert printed == tree.text("docs/configuration.md"), \
        "run: build/ops/docket config > docs/configuration.md"
