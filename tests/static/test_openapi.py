"""schema/openapi.yaml against the source: routes both ways, codes both ways, examples against their schemas."""
import re

import jsonschema
import pytest
import tree
from harness import contract

ROUTE = re.compile(r'^    \{"([A-Z]+)", "(/[^"]*)", \w+\},', re.M)


def routes():
    """Of both listeners, as the source has them."""
    public = ROUTE.findall(tree.text("api/main.c"))
    operators = ROUTE.findall(tree.text("api/admin/routes.c"))
    assert len(public) > 3 and len(operators) > 3
    return set(public), set(operators)


def table():
    rows = re.findall(r'^    \{"(\w+)", (\d{3}),', tree.text("api/problem.c"), re.M)
    return {code: int(status) for code, status in rows}


def test_every_route_is_documented_and_every_documented_route_exists():
    documented = {(operation.method, operation.template) for operation in contract.operations()}
    assert documented == set.union(*routes())


def test_each_route_is_documented_for_its_listener():
    public, operators = routes()
    for template, item in contract.load()["paths"].items():
        is_of_operators = {"servers"} <= set(item)
        wanted = operators - public if is_of_operators else public
        here = {(operation.method, template) for operation in contract.operations()
                if operation.template == template}
        assert here <= wanted, f"{template}: servers"


def documented_codes():
    """(operation, status, code); status "default" is what the server itself refuses."""
    return [(operation, status, code) for operation in contract.operations()
            for status, response in operation.responses.items()
            for media_type, content in response.get("content", {}).items()
            if media_type == "application/problem+json"
            for code in contract.codes(content["schema"])]


def test_every_code_is_documented_with_its_status():
    found = documented_codes()
    of = table()
    # Without an operation: where there is no route, or no path at all.
    assert {code for _, _, code in found} == set(of)
    wrong = [(operation, status, code) for operation, status, code in found
             if status != "default" and int(status) != of[code]]
    assert not wrong
    explicit = {(operation, of[code]) for operation, status, code in found if status == "default"}
    assert not [(operation, status) for operation, status in explicit
                if str(status) in operation.responses], "a status of `default` is documented apart"


def test_every_problem_says_which_codes_it_may_have():
    bare = [(operation, status) for operation in contract.operations()
            for status, response in operation.responses.items()
            for media_type, content in response.get("content", {}).items()
            if media_type == "application/problem+json" and not contract.codes(content["schema"])]
    assert not bare


def test_every_answer_has_a_request_id():
    bare = [(operation, status) for operation in contract.operations()
            for status, response in operation.responses.items()
            if not contract.follow(response.get("headers", {}).get("Request-Id", {})).get("required")]
    assert not bare


def examples():
    for operation in contract.operations():
        contents = [("request", contract.follow(operation.description.get("requestBody", {})))]
        contents += list(operation.responses.items())
        for where, part in contents:
            for content in part.get("content", {}).values():
                for name, example in content.get("examples", {}).items():
                    yield pytest.param(content["schema"], example["value"], where, name,
                                       id=f"{operation} {where} {name}")


# Requests that are wrong on purpose: the answer of the same name says in what.
WRONG = {"validation_failed"}


@pytest.mark.parametrize("schema, value, where, name", examples())
def test_each_example_is_of_its_schema(schema, value, where, name):
    errors = list(jsonschema.Draft202012Validator(contract.strict(schema)).iter_errors(value))
    is_wrong_request = where == "request" and name in WRONG
    assert bool(errors) == is_wrong_request, [error.message for error in errors]


def test_an_undocumented_member_is_found():
    from harness import Answer
    body = b'{"accepted":"no","abandoned":true,"more":1}'
    answer = Answer(200, {"request-id": "req_1", "content-type": "application/json"}, body)
    found = list(contract.complaints("POST", "/v1/orders/abandon", answer))
    assert len(found) == 1 and "more" in found[0], found
    answer = Answer(418, {"request-id": "req_1"})
    assert list(contract.complaints("POST", "/v1/orders/abandon", answer))
