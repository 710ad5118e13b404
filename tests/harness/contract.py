"""schema/openapi.yaml, and every answer held against it.

Clients pass each answer to `check`: on a documented route its status must be documented, its headers present and
of their type, its body of the schema, with no member that the schema does not name (the document lets a server add
members; this one must not do so unsaid).  What is wrong is collected, and fails the test that is running.
"""
import functools
import os
import re

import jsonschema
import yaml

from .services import ROOT

METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
# What HTTP itself adds to any answer; all else has to be documented.
OF_HTTP = {"connection", "content-length", "content-type", "date", "transfer-encoding", "vary"}
OF_QUOTA = {"ratelimit", "ratelimit-policy"}  # info.description: wherever there is a quota
OF_CORS = re.compile(r"access-control-[\w-]+")
SEEN_IN_FULL = 300  # answers of one kind; of those that follow, each 50th is looked at


@functools.cache
def load():
    with open(os.path.join(ROOT, "schema/openapi.yaml"), encoding="utf-8") as file:
        return yaml.load(file, yaml.CSafeLoader)


def follow(value):
    """What a $ref stands for; its own members go first."""
    while isinstance(value, dict) and "$ref" in value:
        target = load()
        for part in value["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        value = {**target, **{name: own for name, own in value.items() if name != "$ref"}}
    return value


def merged(schema):
    """allOf as one schema: members are joined, and the later one narrows the earlier."""
    schema = follow(schema)
    if "allOf" not in schema:
        return schema
    whole = {"properties": {}, "required": []}
    for part in [*schema["allOf"], {name: own for name, own in schema.items() if name != "allOf"}]:
        part = merged(part)
        for name, own in part.get("properties", {}).items():
            whole["properties"][name] = {**follow(whole["properties"].get(name, {})), **own}
        whole["required"] = sorted({*whole["required"], *part.get("required", [])})
        whole |= {name: own for name, own in part.items() if name not in ("properties", "required")}
    return whole


def strict(schema):
    """The schema without references, in which an object has no members but those that it names."""
    if not isinstance(schema, dict):
        return schema
    schema = merged(schema)
    schema = {name: value for name, value in schema.items() if name not in ("examples", "example")}
    for name in ("items", "additionalProperties"):
        if name in schema:
            schema[name] = strict(schema[name])
    for name in ("oneOf", "anyOf"):
        if name in schema:
            schema[name] = [strict(part) for part in schema[name]]
    if "properties" in schema:
        schema["properties"] = {name: strict(own) for name, own in schema["properties"].items()}
        schema.setdefault("additionalProperties", False)
    return schema


def codes(schema):
    """Every problem code that a response's schema lets through."""
    schema = merged(schema)
    if "oneOf" in schema:
        return set().union(*map(codes, schema["oneOf"]))
    code = follow(schema.get("properties", {}).get("code", {}))
    return set(code.get("enum", [])) | ({code["const"]} if "const" in code else set())


class Operation:
    def __init__(self, method, template, description):
        self.method, self.template = method.upper(), template
        self.description = description
        self.pattern = re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)))
        self.responses = {status: follow(response)
                          for status, response in description["responses"].items()}
        self.judges = {}

    def __repr__(self):
        return f"{self.method} {self.template}"

    def response(self, status):
        return self.responses.get(str(status)) or self.responses.get("default")

    def judge(self, response, media_type):
        """What a body of this type is validated with; made once."""
        key = id(response), media_type
        if key not in self.judges:
            schema = strict(response["content"][media_type]["schema"])
            self.judges[key] = jsonschema.Draft202012Validator(schema)
        return self.judges[key]


@functools.cache
def operations():
    return [Operation(method, template, item[method])
            for template, item in load()["paths"].items() for method in METHODS if method in item]


def of_path(path):
    """The operations at a path; one without a variable goes before one with."""
    path = path.partition("?")[0]
    found = [operation for operation in operations() if operation.pattern.fullmatch(path)]
    plain = [operation for operation in found if "{" not in operation.template]
    return plain or found


def wrong_headers(response, answer):
    documented = {name.lower(): follow(header)
                  for name, header in response.get("headers", {}).items()}
    for name, header in documented.items():
        value = answer.headers.get(name)
        if value is None:
            if header.get("required"):
                yield f"there is no {name}"
            continue
        schema = follow(header["schema"])
        typed = int(value) if schema.get("type") == "integer" and value.isdigit() else value
        for error in jsonschema.Draft202012Validator(schema).iter_errors(typed):
            yield f"{name}: {error.message}"
    for name in answer.headers:
        if name not in {*documented, *OF_HTTP, *OF_QUOTA} and not OF_CORS.fullmatch(name):
            yield f"{name} is not documented"


def wrong_body(operation, response, answer):
    content = response.get("content", {})
    media_type = answer.headers.get("content-type")
    if media_type is None or operation.method == "HEAD":
        if answer.body or (content and operation.method != "HEAD"):
            yield f"no content type; {' or '.join(content) or 'no body'} is documented"
        return
    if media_type not in content:
        yield f"the content type is {media_type}; documented: {' or '.join(content) or 'no body'}"
        return
    if not media_type.endswith("json"):
        return
    errors = operation.judge(response, media_type).iter_errors(answer.json)
    for error in map(nearest, errors):
        yield f"/{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"
    if media_type == "application/problem+json" and answer.json.get("status") != answer.status:
        yield f"/status is {answer.json.get('status')}"


def nearest(error):
    """Of an error of oneOf, what was wrong with the alternative that fits best."""
    if not error.context:
        return error
    alternatives = {}
    for inner in error.context:
        alternatives.setdefault(inner.schema_path[0], []).append(inner)
    return min(alternatives.values(), key=len)[0]


def complaints(method, path, answer):
    found = of_path(path)
    as_get = "GET" if method == "HEAD" else method
    fitting = [operation for operation in found if operation.method in (method, as_get)]
    if not found:
        return
    if not fitting:
        if answer.status not in (405, 501) and method != "OPTIONS":
            yield f"{method} {path}: it is not documented, and answered {answer.status}"
        return
    operation = fitting[0]
    response = operation.response(answer.status)
    if response is None:
        yield f"{operation}: {answer.status} is not documented"
        return
    wrong = [*wrong_headers(response, answer),
             *(wrong_body(operation, response, answer) if method != "HEAD" else ())]
    for what in wrong:
        yield f"{operation}: {answer.status}: {what}"


# What is wrong, until the test that is running is failed by it (tests/conftest.py).
noted, seen = [], {}


def is_enough(method, path, status):
    kind = method, path.partition("?")[0][:12], status
    seen[kind] = seen.get(kind, 0) + 1
    return seen[kind] > SEEN_IN_FULL and seen[kind] % 50


def check(method, path, answer):
    if answer.status is None or is_enough(method, path, answer.status):
        return
    for what in complaints(method, path, answer):
        if len(noted) < 20:
            noted.append(f"{what}\n    {answer!r}")


def take_noted():
    taken = noted[:]
    noted.clear()
    return taken
