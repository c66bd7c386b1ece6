"""Every channel file found keeps the contract, and the guide builds one more that does."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.desk import i18n
from services.intake import channels
from services.intake.ports import Channel, Tools
from services.kit.blobs import FolderBlobs
from services.kit.clock import ManualClock
from services.kit.config import Settings
from services.kit.egress import Egress
from services.kit.secrets import Keys
from services.social.sources import kinds
from tests.contracts.channel import ChannelContract

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "adding-a-channel.md"
CHECKS = [name for name in dir(ChannelContract) if name.startswith("check_")]


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    return Tools(
        settings=Settings(),
        keys=Keys(b"k" * 32),
        clock=ManualClock(),
        egress=Egress(resolve=lambda _host, _port: []),
        blobs=FolderBlobs(tmp_path / "blobs"),
        data=tmp_path,
    )


@pytest.fixture
def built(tools: Tools) -> Iterator[dict[str, Channel]]:
    made = channels.build_all(tools)
    yield made
    for one in made.values():
        if hasattr(one, "close"):
            one.close()


def contract(channel: Channel, *, folder: Path, page: Path) -> ChannelContract:
    made = ChannelContract()
    made.channel, made.folder, made.page = channel, folder, page
    return made


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", channels.found())
def test_a_channel_keeps_the_contract(name: str, check: str, built: dict[str, Channel]) -> None:
    channel = built[name]
    assert channel.id == name
    folder = ROOT / "tests" / "fixtures" / "channels" / name

    getattr(contract(channel, folder=folder, page=ROOT / "docs" / "channels" / f"{name}.md"), check)()


@pytest.mark.parametrize("name", channels.found())
def test_what_an_account_can_be_told_is_asked_in_italian_too(name: str, built: dict[str, Channel]) -> None:
    italian = i18n.catalog("it")._catalog

    assert [field.label for field in built[name].fields if field.label not in italian] == []


@pytest.mark.parametrize("name", kinds())
def test_what_a_source_can_be_told_is_asked_in_italian_too(name: str) -> None:
    italian = i18n.catalog("it")._catalog

    assert [field.label for field in kinds()[name].fields if field.label not in italian] == []


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text("utf-8"), flags=re.DOTALL)


def test_the_guide_builds_a_channel_that_keeps_the_contract(tools: Tools, tmp_path: Path) -> None:
    (source,), samples, (page,) = blocks("python"), blocks("json"), blocks("markdown")
    file = tmp_path / "pigeon.py"
    file.write_text(source, "utf-8")
    folder = tmp_path / "fixtures"
    folder.mkdir()
    for number, sample in enumerate(samples):
        (folder / (f"bad-{number}.json" if "message" not in sample else f"{number}.json")).write_text(sample, "utf-8")
    (tmp_path / "pigeon.md").write_text(page, "utf-8")
    spec = importlib.util.spec_from_file_location("pigeon", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    made = contract(module.build(tools), folder=folder, page=tmp_path / "pigeon.md")

    for check in CHECKS:
        getattr(made, check)()
    assert len(list(folder.iterdir())) == 2


def test_a_channel_that_breaks_its_promise_is_found(built: dict[str, Channel], tmp_path: Path) -> None:
    made = contract(built["api"], folder=tmp_path, page=tmp_path / "missing.md")

    with pytest.raises(AssertionError):
        made.check_documented()
    with pytest.raises(AssertionError):
        made.check_fixtures()


def test_nobody_outside_channels_compares_a_channels_id() -> None:
    ids = "|".join(channels.found())
    pattern = re.compile(rf"channel(?:\.id)?\s*[!=]=\s*[\"'](?:{ids})[\"']|[\"'](?:{ids})[\"']\s*[!=]=\s*\w*channel")

    found = [
        str(path)
        for path in (ROOT / "services" / "intake").rglob("*.py")
        if "channels" not in path.parts and pattern.search(path.read_text("utf-8"))
    ]

    assert found == []
