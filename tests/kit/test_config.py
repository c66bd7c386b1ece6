"""Settings: read, refused with a sentence, and documented."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from services.kit.config import HostPort, Settings
from services.kit.errors import Invalid

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"


def test_the_environment_is_read():
    settings = Settings.from_env({"ASCOLTO_HTTP": "0.0.0.0:80", "ASCOLTO_TRUST_PROXY": "1", "HOME": "/x"})

    assert settings.http == HostPort("0.0.0.0", 80)
    assert settings.trust_proxy is True


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ASCOLTO_HTTP", "8700"), ("ASCOLTO_HTTP", "127.0.0.1:99999"), ("ASCOLTO_SMTP", "x:y"), ("ASCOLTO_TRUST_PROXY", "maybe"),
        ("ASCOLTO_RETENTION_DAYS", "0"), ("ASCOLTO_LOG", "xml"), ("ASCOLTO_HTPP", "127.0.0.1:1"),
        ("ASCOLTO_SMTP_OUT", "gopher://relay"), ("ASCOLTO_SMTP_OUT", "relay.example:25"), ("ASCOLTO_SMTP_OUT", "smtp://relay:99999"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_one_sentence_that_names_it(name, value):
    with pytest.raises(Invalid, match=name) as refused:
        Settings.from_env({name: value})

    assert refused.value.field == name
    assert "\n" not in refused.value.message


def test_a_secret_setting_is_not_shown():
    field = next(one for one in dataclasses.fields(Settings) if one.name == "smtp_out")

    assert field.metadata["secret"]


def test_every_setting_is_documented_as_it_is():
    text = REFERENCE.read_text()
    for field in dataclasses.fields(Settings):
        assert f"| `ASCOLTO_{field.name.upper()}` |" in text
        assert field.metadata["doc"] in text
    documented = {line.split("`")[1] for line in text.splitlines() if line.startswith("| `ASCOLTO_")}
    assert documented == {f"ASCOLTO_{field.name.upper()}" for field in dataclasses.fields(Settings)}
