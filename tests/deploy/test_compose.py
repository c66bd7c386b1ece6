"""Compose files, the image and env.sample: valid, closed, and in agreement with the settings there are."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import jsonschema
import pytest

from services.__main__ import main_app
from services.kit.backends import SERVICES, load
from services.kit.config import Settings
from tests.deploy.files import DEPLOY, SETTINGS, compose, filled, forms, ours, sample, variables

SCHEMA = json.loads((Path(__file__).parent / "schema" / "compose-spec.json").read_text())
FILES = ("compose.yaml", "compose.embedded.yaml")
ROLES = {
    "ASCOLTO_DATABASE": "database",
    "ASCOLTO_BUS": "bus",
    "ASCOLTO_INDEX": "index",
    "ASCOLTO_RPC": "rpc",
    "ASCOLTO_BLOBS": "blobs",
}
GIVEN = {"POSTGRES_PASSWORD": "password", "ELASTIC_PASSWORD": "password", "S3_PASSWORD": "password"}


@pytest.mark.parametrize("name", FILES)
def test_a_compose_file_keeps_to_the_compose_specification(name: str) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(compose(name))


def test_the_schema_would_see_a_wrong_word() -> None:
    wrong = compose("compose.yaml")
    wrong["services"]["desk"]["restrat"] = "always"

    with pytest.raises(jsonschema.ValidationError, match="restrat"):
        jsonschema.Draft202012Validator(SCHEMA).validate(wrong)


@pytest.mark.parametrize("name", FILES)
def test_what_runs_is_closed(name: str) -> None:
    for service in ours(compose(name)).values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in service
        assert "user" not in service  # the image's own


def test_every_service_runs_and_waits_for_the_migration() -> None:
    started = ours(compose("compose.yaml"))
    commands = {name: one["command"] for name, one in started.items()}

    assert commands == {"migrate": ["migrate"]} | {name: ["run", name] for name in SERVICES}
    assert "migrate" in {command.name or command.callback.__name__ for command in main_app.registered_commands}
    for name in SERVICES:
        assert started[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}


def test_servers_are_reached_from_inside_alone() -> None:
    file = compose("compose.yaml")
    servers = file["services"].keys() - ours(file).keys() - {"proxy"}

    assert file["networks"]["inside"] == {"internal": True}
    for name in servers:
        assert file["services"][name]["networks"] == ["inside"]
        assert "ports" not in file["services"][name]


@pytest.mark.parametrize("name", FILES)
def test_what_a_container_is_told_are_settings_that_can_be_used(name: str) -> None:
    for service in ours(compose(name)).values():
        told = {key: filled(value, GIVEN) for key, value in service["environment"].items()}

        settings = Settings.from_env(told)

        for setting, role in ROLES.items():
            assert load(role, getattr(settings, setting.removeprefix("ASCOLTO_").lower()) or "sqlite:")


def test_the_sample_gives_both_forms_of_every_backend_as_the_compose_file_does() -> None:
    told = ours(compose("compose.yaml"))["desk"]["environment"]
    found = forms()

    assert ROLES.keys() < found.keys()
    for setting, (embedded, distributed) in found.items():
        Settings.from_env({setting: embedded})
        Settings.from_env({setting: distributed})
        assert distributed == filled(told[setting], GIVEN)
    assert {name for name, (embedded, _) in found.items() if embedded != _default(name)} == set()


def _default(setting: str) -> str:
    return str(getattr(Settings(), setting.removeprefix("ASCOLTO_").lower()))


def test_the_sample_has_every_variable_that_is_asked_for_and_no_other() -> None:
    text = "".join((DEPLOY / name).read_text() for name in FILES)
    asked = variables(text) - {"ASCOLTO_VERSION", "ASCOLTO_METRICS_FROM"}  # which have their defaults

    assert sample().keys() == asked
    assert {name for name in sample() if name.startswith("ASCOLTO_")} <= SETTINGS


def test_all_names_of_settings_in_deployment_files_are_settings() -> None:
    files = [path for path in DEPLOY.rglob("*") if path.is_file() and "local" not in path.parts]
    text = "\n".join(path.read_text() for path in files)
    named = set(re.findall(r"\bASCOLTO_[A-Z_]+\b", text))

    assert named - SETTINGS == {"ASCOLTO_VERSION"}  # the tag of the image
    assert "ASCOLTO_KEY_FILE" in named


def test_prepare_makes_passwords_and_a_key_once(tmp_path: Path) -> None:
    for name in ("prepare.sh", "env.sample"):
        (tmp_path / name).write_bytes((DEPLOY / name).read_bytes())

    first, second = (_prepared(tmp_path) for _ in range(2))

    assert second == first
    assert len(first[1]) == 32
    values = dict(line.split("=", 1) for line in first[0].splitlines() if re.match(r"\w+=", line))
    secrets = [values[name] for name in (*GIVEN, "KAFKA_CLUSTER_ID")]
    assert all(re.fullmatch(r"[0-9a-f]{32}|[0-9a-f]{21}A", one) for one in secrets)
    assert len(set(secrets)) == len(secrets)
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0


def _prepared(folder: Path) -> tuple[str, bytes]:
    subprocess.run(["sh", folder / "prepare.sh"], check=True, capture_output=True, env={"PATH": os.environ["PATH"]})
    return (folder / ".env").read_text(), (folder / "secrets" / "ascolto_key").read_bytes()


def _stages() -> list[str]:
    return re.split(r"^FROM ", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)[1:]


def test_the_image_runs_as_nobody_special_and_is_watched() -> None:
    final = _stages()[-1]

    assert re.search(r"^USER 10001:10001$", final, re.MULTILINE)
    assert "HEALTHCHECK" in final
    assert "/healthz" in final
    assert final.index("USER 10001") < final.index("ENTRYPOINT")


def test_the_image_brings_neither_compiler_nor_simulation() -> None:
    *building, final = _stages()

    assert not re.search(r"apt-get|gcc|build-essential|pip install", final)
    assert re.findall(r"^COPY .*$", final, re.MULTILINE) == ["COPY --from=build /opt/ascolto /opt/ascolto"]
    assert "rm -rf services/demo" in building[-1]
    assert "services/demo" in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert "--require-hashes" in building[-1]
