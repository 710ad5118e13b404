"""The published descriptions, as tools of others read them: linted, and a client is generated and compiled."""
import os

import pytest

from harness import web


@pytest.fixture(scope="module", autouse=True)
def installed():
    web.install()


def document(name):
    return os.path.join(web.ROOT, "schema", name)


@pytest.mark.parametrize("name", ["openapi.yaml", "asyncapi.yaml"])
def test_the_linter_is_quiet(name):
    web.run("node", "lint.mjs", document(name))


def test_a_generated_client_compiles():
    generated = os.path.join(web.WEB, "generated.ts")
    web.tool("openapi-typescript", document("openapi.yaml"), "-o", generated)
    web.tool("tsc", "-p", ".")


def test_a_document_that_is_wrong_is_found(tmp_path):
    with open(document("openapi.yaml"), encoding="utf-8") as file:
        text = file.read()
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text.replace("      operationId: getOrder\n", "      operationID: getOrder\n"))
    with pytest.raises(AssertionError, match="operationID"):
        web.run("node", "lint.mjs", str(wrong))
