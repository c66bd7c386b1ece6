"""The look held by numbers: contrast of every role, roles only in the rules, sizes, icons."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.desk import pack, render

STATIC = Path(render.__file__).parent / "static"
SHEETS = sorted((STATIC / "css").glob("*.css"))
TOKENS = (STATIC / "css" / "10-tokens.css").read_text(encoding="utf-8")
GROUNDS = ("canvas", "surface", "sunken", "selected", "internal")


def roles() -> dict[str, tuple[str, str]]:
    ramp = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", TOKENS))
    found: dict[str, tuple[str, str]] = {}
    for name, light, dark in re.findall(r"--([\w-]+): light-dark\((.+?), (.+?)\);", TOKENS):
        resolve = [ramp.get(value[6:-1], value) if value.startswith("var(") else value for value in (light, dark)]
        found[name] = (resolve[0], resolve[1])
    line = ramp[re.findall(r"--note-line: var\(--([\w-]+)\)", TOKENS)[0]]
    found["note-line"] = (line, line)
    return found


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def ratio(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def selectors(sheet: str) -> list[str]:
    """What rules are for, in order, without the blanks beside commas and combinators, which mean nothing."""
    found = (" ".join(one.split()) for one in re.findall(r"[^{};]+(?=\{)", sheet))
    return [re.sub(r" ?([,>+~]) ?", r"\1", one) for one in found if not one.startswith("@")]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("role", "grounds", "least"),
    [
        *((role, GROUNDS, 4.5) for role in ("text", "muted", "accent", "danger", "warning", "success", "info")),
        *((role, (f"{role}-tint",), 4.5) for role in ("danger", "warning", "success", "info")),
        ("on-accent", ("accent", "accent-hover"), 4.5),
        ("on-danger", ("danger",), 4.5),
        ("text", ("found",), 4.5),
        ("control", GROUNDS, 3.0),
        ("note-line", ("internal",), 3.0),
        *((f"tone-{tone}", ("canvas", "surface"), 3.0) for tone in ("negative", "neutral", "positive")),
        *((f"series-{n}", ("canvas", "surface"), 3.0) for n in range(1, 6)),
    ],
)
def test_a_role_is_readable_on_every_ground_it_may_stand_on(
    theme: int, role: str, grounds: tuple[str, ...], least: float
) -> None:
    values = roles()

    worst = min(ratio(values[role][theme], values[ground][theme]) for ground in grounds)

    assert worst >= least, f"{role} has {worst:.2f}"


@pytest.mark.parametrize(
    "sheet", [sheet for sheet in SHEETS if "tokens" not in sheet.name], ids=lambda sheet: sheet.name
)
def test_rules_use_roles_only(sheet: Path) -> None:
    text = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.DOTALL)
    if "print" in sheet.name:
        text = text.split("@media (forced-colors")[1]
    # Shadows and the backdrop are black; a mail as sent stands on white paper.
    text = re.sub(r"rgb\(0 0 0 / \.\d+\)|\.sent \{[^}]*\}", "", text)

    assert (
        re.findall(r"#[0-9a-fA-F]{3,8}\b|\brgba?\(|\bhsl|var\(--(?:cool|warm|petrol|red|amber|green|blue)-", text) == []
    )


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_sheets_use_logical_properties(sheet: Path) -> None:
    text = sheet.read_text(encoding="utf-8")

    found = re.findall(
        r"[{;]\s*((?:margin|padding|border)-(?:left|right|top|bottom)|left|right|top|bottom|float|width|height)\s*:",
        text,
    )

    assert found == []


def test_squeezed_sheets_have_the_same_selectors() -> None:
    """rcssmin takes the blank before a colon away: `.rail :is(a)` would become another selector."""
    written = re.sub(
        r"/\*.*?\*/", "", "\n".join(sheet.read_text(encoding="utf-8") for sheet in SHEETS), flags=re.DOTALL
    )

    assert selectors(pack.styles(STATIC / "css")) == selectors(written)


def test_sizes_stay_in_their_budgets() -> None:
    sizes = render.Statics().sizes()
    own = [name for name in sizes if name.startswith("js/")]

    assert sizes["desk.css"][0] <= 48 * 1024
    assert sizes["desk.css"][1] <= 10.4 * 1024
    assert sizes["sprite.svg"][0] <= 12_000
    assert sum(sizes[name][1] for name in own if name != "js/login.js") <= 12 * 1024


def test_every_icon_a_template_names_is_in_the_sprite() -> None:
    sprite = set(re.findall(r'id="([\w-]+)"', (STATIC / "sprite.svg").read_text(encoding="utf-8")))
    templates = (STATIC.parent / "templates").glob("*.html")
    used = {name for path in templates for name in re.findall(r'icon\("([\w-]+)"', path.read_text(encoding="utf-8"))}

    assert used - sprite == set()
    assert len(sprite) <= 48
