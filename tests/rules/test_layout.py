"""The layout of the design, held: who may import what, what pages of documentation say, how long a README is."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

from services.kit import topics
from tests.rules.tree import place, python, text_of, tree_of

ROOT = Path(__file__).parents[2]
SERVICES = ("intake", "tickets", "social", "search", "desk")
PROTO_ROLES = {"wire", "rpc", "consumer", "clients", "app"}  # `app` hands the servicer to its server
STDLIB_AND_ERRORS = {"services.kit.errors"}
ONE_PLACE = {
    "boto3": {"services/kit/blobs_s3.py"},
    "botocore": {"services/kit/blobs_s3.py"},
    "tweepy": {"services/social/x.py", "services/intake/x.py"},
    "kafka": {f"services/kit/bus/kafka{part}.py" for part in ("", "_cluster", "_publish", "_read", "_topics")},
    "elasticsearch": {"services/search/index/elastic/server.py"},
    "tantivy": None,  # below search/index
}


def _imports(path: Path):
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node, node.module


def _role(path: Path) -> str:
    return path.parts[2].removesuffix(".py") if len(path.parts) > 2 else ""


@pytest.mark.parametrize("service", SERVICES)
def test_the_contracts_messages_stay_at_the_edges_of_a_service(service):
    wrong = [
        place(path, node)
        for path in python("services")
        if path.parts[1] == service and _role(path) not in PROTO_ROLES
        for node, name in _imports(path)
        if name.split(".")[0] == "ascolto" and not (service == "desk" and _type_only(path, node))
    ]

    assert wrong == []


def _type_only(path: Path, node: ast.AST) -> bool:
    """Pages may name a message in a type, never build one."""
    guarded = [
        one for one in ast.walk(tree_of(path)) if isinstance(one, ast.If) and "TYPE_CHECKING" in ast.dump(one.test)
    ]
    return any(node in ast.walk(one) for one in guarded)


def test_the_domain_imports_the_standard_library_and_the_errors_alone():
    wrong = []
    for path in python("services"):
        if len(path.parts) > 2 and _role(path) == "domain":
            own = f"services.{path.parts[1]}.domain"
            for node, name in _imports(path):
                foreign = name.startswith(("ascolto", "sqlalchemy", "google", "grpc", "fastapi", "starlette", "numpy"))
                if foreign or (
                    name.startswith("services.") and name not in STDLIB_AND_ERRORS and not name.startswith(own)
                ):
                    wrong.append(place(path, node))

    assert wrong == []


@pytest.mark.parametrize(("package", "places"), list(ONE_PLACE.items()))
def test_a_library_of_the_outside_is_imported_in_its_one_place(package, places):
    wrong = [
        place(path, node)
        for path in python("services")
        for node, name in _imports(path)
        if name.split(".")[0] == package
        and (str(path) not in places if places is not None else not str(path).startswith("services/search/index/"))
    ]

    assert wrong == []


def test_nobody_outside_the_channels_compares_a_channels_id():
    names = {path.stem for path in python("services") if str(path).startswith("services/intake/channels/")} | {"email"}
    names -= {"__init__"}
    wrong = []
    for path in python("services"):
        if str(path).startswith(("services/intake/channels/", "services/demo/")):
            continue
        wrong += [place(path, node) for node in ast.walk(tree_of(path)) if _compares_channel(node, names)]

    assert wrong == []


def _compares_channel(node: ast.AST, names: set[str]) -> bool:
    if not isinstance(node, ast.Compare):
        return False
    parts = [node.left, *node.comparators]
    return any("channel" in ast.dump(part) for part in parts) and any(
        isinstance(part, ast.Constant) and part.value in names for part in parts
    )


def test_the_page_of_topics_says_what_the_services_declare():
    text = (ROOT / "docs" / "reference" / "topics.md").read_text()
    rows = {}
    for line in text.splitlines():
        if line.startswith("| `ascolto."):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            rows[cells[0].strip("`")] = (
                cells[2],
                set(re.findall(r"`(\w+)`", cells[3])),
                set(re.findall(r"\w+", cells[4])),
            )
    consumers = {topic: set() for topic in topics.PRODUCERS}
    for service in SERVICES:
        wire = importlib.import_module(f"services.{service}.wire")
        for topic, kinds in getattr(wire, "PRODUCES", {}).items():
            assert topics.PRODUCERS[topic] == service
            assert rows[topic][0] == service
            assert rows[topic][1] == set(kinds)
        for topic in getattr(wire, "CONSUMES", {}):
            consumers[topic].add(service)
    assert {topic: row[2] for topic, row in rows.items()} == consumers


def test_the_architecture_page_draws_the_calls_there_are():
    text = (ROOT / "docs" / "architecture.md").read_text()
    drawn = set(re.findall(r"^    (\w+) -->\|calls\| (\w+)$", text, re.MULTILINE))
    found = set()
    for path in python("services"):
        if len(path.parts) > 2 and path.parts[1] in SERVICES and _role(path) == "clients":
            for _, name in _imports(path):
                match = re.fullmatch(r"ascolto\.(\w+)\.v1(\.service_pb2_grpc)?", name)
                if match and match[1] in set(SERVICES) - {path.parts[1]}:
                    found.add((path.parts[1], match[1]))

    assert drawn == found
    assert _acyclic(found)


def _acyclic(edges):
    left = set(edges)
    while left:
        sinks = {to for _, to in left} - {start for start, _ in left}
        if not sinks:
            return False
        left = {(start, to) for start, to in left if to not in sinks}
    return True


@pytest.mark.parametrize("service", SERVICES)
def test_a_services_readme_is_short_and_names_its_topics(service):
    text = text_of(Path("services") / service / "README.md")
    wire = importlib.import_module(f"services.{service}.wire")

    assert len(text.splitlines()) <= 60
    for topic in {**getattr(wire, "PRODUCES", {}), **getattr(wire, "CONSUMES", {})}:
        assert topic in text, f"services/{service}/README.md does not name {topic}"


@pytest.mark.parametrize("folder", ["proto", "deploy", "docs"])
def test_folders_that_would_shadow_a_package_are_none(folder):
    assert not (ROOT / folder / "__init__.py").exists()
