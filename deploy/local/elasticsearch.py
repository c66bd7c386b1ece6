"""Elasticsearch 9.1.5, from Maven: the real server with fewer modules, and our plugin for the analyzers it lacks.

A full Elasticsearch has these analyzers built in; the mapping is the same.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import zipfile
from functools import partial
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from deploy.local import downloads, process
from deploy.local.process import Running

NAME = "elasticsearch"
VARIABLE = "TEST_ELASTICSEARCH_URL"
STOP = signal.SIGTERM
_VERSION = "9.1.5"
_ARTIFACT = f"org.elasticsearch.distribution.integ-test-zip:elasticsearch:{_VERSION}:zip"
_SHA256 = "310788c03afd7640201f2c2a06f4818785966dc0a2efe46b8f9dc0ab0b6b3032"
_JAVA = 21
_PLUGIN = Path(__file__).parent / "elasticsearch-analysis"
# One node that answers loopback alone. Disks of developers are full: the watermarks would stop the tests.
_SETTINGS = """cluster.name: ascolto-tests
discovery.type: single-node
network.host: 127.0.0.1
action.auto_create_index: false
cluster.routing.allocation.disk.threshold_enabled: false
xpack.security.enabled: false
"""


def fetch() -> Path:
    """The folder of the unpacked server with the plugin in it."""
    jdk = downloads.jdk(_JAVA)
    plugin = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(_PLUGIN.iterdir()))).hexdigest()[:12]
    target = downloads.cache() / f"elasticsearch-{_VERSION}-{plugin}"
    if not target.exists():
        archive = _archive()
        downloads.once(target, "unpacking Elasticsearch and compiling its plugin")
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(downloads.partial(target))
        home = downloads.partial(target) / f"elasticsearch-{_VERSION}"
        for program in (home / "bin").iterdir():
            program.chmod(0o755)  # which zipfile forgets
        process.run(["sh", _PLUGIN / "build.sh", home], "compiling the plugin", environment={"ES_JAVA_HOME": str(jdk)})
        downloads.partial(target).rename(target)
    return target / f"elasticsearch-{_VERSION}"


def _archive() -> Path:
    target = downloads.cache() / f"elasticsearch-{_VERSION}-zip"
    if not target.exists():
        mvn = downloads.maven()
        downloads.once(target, f"fetching Elasticsearch {_VERSION}, 94 MB")
        copy = [f"-Dartifact={_ARTIFACT}", f"-DoutputDirectory={downloads.partial(target)}", "-Dtransitive=false"]
        downloads.fetch([mvn, "-q", "dependency:copy", *copy], "fetching Elasticsearch")
        downloads.check(downloads.partial(target), "*.zip", _SHA256)
        downloads.partial(target).rename(target)
    return target / f"elasticsearch-{_VERSION}.zip"


def start(data: Path) -> Running:
    """Starts it on free ports of loopback, with half a gigabyte of heap."""
    home = fetch()
    port, transport = process.free_ports(2)
    config = data / "config"
    shutil.rmtree(config, ignore_errors=True)
    shutil.copytree(home / "config", config)
    (config / "elasticsearch.yml").write_text(
        _SETTINGS
        + f"http.port: {port}\ntransport.port: {transport}\npath.data: {data / 'data'}\npath.logs: {data / 'logs'}\n"
    )
    options = (config / "jvm.options").read_text().splitlines()
    kept = [line for line in options if ".log" not in line]  # they would be written into the unpacked server
    (config / "jvm.options").write_text("\n".join(kept) + "\n")
    process.own(data)
    environment = {
        "ES_JAVA_HOME": str(downloads.jdk(_JAVA)),
        "ES_PATH_CONF": str(config),
        "ES_JAVA_OPTS": "-Xms512m -Xmx512m",
        "ES_TMPDIR": str(process.own(data / "tmp")),
    }
    started = process.start(
        NAME,
        [home / "bin" / "elasticsearch"],
        log=data / "log",
        url=f"elasticsearch://127.0.0.1:{port}",
        environment=environment,
        unprivileged=True,
    )
    return started.wait(partial(_answers, port))


def _answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/_cluster/health", timeout=2) as answer:
            return json.load(answer)["status"] in {"green", "yellow"}
    except (URLError, OSError, ValueError):
        return False
