"""Kafka 4.1: one process, broker and controller at once, its jars from Maven."""

from __future__ import annotations

import signal
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from deploy.local import downloads, process
from deploy.local.process import Running

NAME = "kafka"
VARIABLE = "TEST_KAFKA_URL"
STOP = signal.SIGTERM
_VERSION, _LOG4J = "4.1.0", "2.25.0"
_SHA256 = "de82a12fb4591951ade2e5398e3bf572c0be5200f25c90734b2765d3467c2501"  # of all jars together
_JAVA = 17
_POM = f"""<project><modelVersion>4.0.0</modelVersion><groupId>ascolto</groupId><artifactId>kafka</artifactId><version>1</version>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{_VERSION}</version></dependency>
<dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>{_LOG4J}</version></dependency>
<dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-core</artifactId><version>{_LOG4J}</version></dependency>
</dependencies></project>
"""
# Small where one broker is all there is; topics are made by `ascolto migrate`, never by a typing error.
_SETTINGS = """process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
auto.create.topics.enable=false
delete.topic.enable=true
group.initial.rebalance.delay.ms=0
log.segment.delete.delay.ms=1000
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
"""


def fetch() -> Path:
    """The folder of its jars."""
    downloads.java(_JAVA)
    target = downloads.cache() / f"kafka-{_VERSION}"
    if not target.exists():
        mvn = downloads.maven()
        downloads.once(target, f"fetching Kafka {_VERSION}, 43 MB")
        pom = downloads.partial(target) / "pom.xml"
        pom.write_text(_POM)
        copy = ["dependency:copy-dependencies", f"-DoutputDirectory={pom.parent}"]
        downloads.fetch([mvn, "-q", "-f", pom, *copy], "fetching Kafka")
        downloads.check(pom.parent, "*.jar", _SHA256)
        pom.parent.rename(target)
    return target


def start(data: Path) -> Running:
    """Starts it on free ports of loopback."""
    jars, java = fetch(), downloads.java(_JAVA)
    data.mkdir(parents=True, exist_ok=True)
    port, controller = process.free_ports(2)
    settings = data / "server.properties"
    settings.write_text(
        _SETTINGS + f"listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n"
        f"advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n"
        f"controller.quorum.voters=1@127.0.0.1:{controller}\nlog.dirs={data / 'log'}\n"
    )
    program = [str(java), "-Xmx512m", "-cp", f"{jars}/*"]
    if not (data / "log" / "meta.properties").exists():
        _format(program, settings)
    url = f"kafka://127.0.0.1:{port}"
    started = process.start(NAME, [*program, "kafka.Kafka", settings], log=data / "kafka.log", url=url)
    return started.wait(partial(_answers, f"127.0.0.1:{port}"))


def _format(program: Sequence[str], settings: Path) -> None:
    cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    tool = [*program, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", f"--config={settings}"]
    process.run(tool, "preparing Kafka's folder")


def _answers(address: str) -> bool:
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError

    try:
        KafkaAdminClient(bootstrap_servers=address, bootstrap_timeout_ms=2000).close()
    except KafkaError:
        return False
    return True
