"""`docs/reference/metrics.md` lists the figures there are, with their labels; dashboards and alerts rest on it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx

from services import __main__ as product
from services.kit.application import Application
from services.kit.config import Settings
from services.kit.relay import RelayMetrics
from tests.faults.installation import Installation
from tests.kitlib import wait_until

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"
_ROW = re.compile(r"^\| `([a-z_]+)` \| (\w+) \| ([^|]*) \| ([^|]+) \|$", re.MULTILINE)


def documented() -> dict[str, tuple[str, frozenset[str]]]:
    """Name as shown, type and labels of each figure on the page."""
    rows = _ROW.findall(REFERENCE.read_text())
    return {name: (kind, frozenset(re.findall(r"[a-z_]+", labels))) for name, kind, labels, _ in rows}


def provided(app: Application) -> Iterator[tuple[str, tuple[str, frozenset[str]]]]:
    """The same of what an application shows."""
    labels_of = {one._name: one._labelnames for one in app.metrics._collector_to_names if hasattr(one, "_labelnames")}
    for metric in app.metrics.collect():
        labels = labels_of.get(metric.name, getattr(metric, "_labelnames", None) or ())
        shown = f"{metric.name}_total" if metric.type == "counter" else metric.name
        yield shown, (metric.type, frozenset(labels))


def test_every_figure_is_documented_and_every_documented_one_exists(tmp_path: Path) -> None:
    settings = Settings.from_env(
        {"ASCOLTO_HTTP": "127.0.0.1:0", "ASCOLTO_SMTP": "127.0.0.1:0", "ASCOLTO_MODELS": "0"}
        | {"ASCOLTO_DATA": str(tmp_path / "data")}
    )
    with Application(settings) as app:
        app.migrate()
        product.wire(app).start()
        RelayMetrics(app.metrics)  # where the log is Kafka
        found = {name: of for name, of in provided(app) if not name.startswith("python_")}

    assert found == documented()


def test_the_page_of_the_one_process_shows_what_search_s_process_counted(running: Installation) -> None:
    def page() -> str:
        return httpx.get(f"{running.product.url}/metrics", timeout=20).text

    wait_until(lambda: 'ascolto_rpc_calls_total{method="Status",outcome="ok",service="search"}' in page(), 30)

    shown = page()
    assert 'ascolto_kit_pool_size{pool="writers",service="search"}' in shown
    assert shown.count("# TYPE ascolto_rpc_calls_total ") == 1
