"""A real Apache Kafka, one node, from Maven's artifacts.

`TRIPSWITCH_TEST_KAFKA=host:port` names another broker instead; tests that stop or freeze the
broker, or need its password listener, then skip.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path
from typing import Final

import pytest
from kafka import KafkaAdminClient  # type: ignore[import-untyped]
from kafka.errors import InvalidReplicationFactorError, KafkaError  # type: ignore[import-untyped]

from tests.kit.frozen import freeze
from tests.kit.service import OTHER_KAFKA, unavailable

ROOT: Final = Path(__file__).resolve().parents[2]
LIBS: Final = ROOT / ".cache" / "kafka-libs"
USER: Final = "tripswitch"
PASSWORD: Final = "right-password"  # of a broker that lives as long as the tests
START_LIMIT_S: Final = 150.0

# Short-lived: the compiler's second stage and a concurrent collector cost more than they give.
_JAVA: Final = ("java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp")

_PROPERTIES: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{plain},SASL://127.0.0.1:{sasl},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SASL://127.0.0.1:{sasl},\
CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.name.sasl.sasl.enabled.mechanisms=PLAIN
listener.name.sasl.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
allow.everyone.if.no.acl.found=true
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
log.retention.check.interval.ms=500
log.initial.task.delay.ms=500
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=200
num.network.threads=2
num.io.threads=2
"""


class Broker:
    """One broker with its data under `directory`.

    Attributes
    ----------
    bootstrap_servers
        The listener without a password.
    sasl_bootstrap_servers
        The listener that asks for `USER` and `PASSWORD` (SASL_PLAINTEXT, mechanism PLAIN).
    """

    def __init__(self, directory: Path) -> None:
        self._properties = directory / "server.properties"
        self._log = directory / "server.log"
        self._data = directory / "data"
        plain, sasl, controller = _free_ports(3)
        self.bootstrap_servers = f"127.0.0.1:{plain}"
        self.sasl_bootstrap_servers = f"127.0.0.1:{sasl}"
        self._process: subprocess.Popen[bytes] | None = None
        self._properties.write_text(
            _PROPERTIES.format(
                plain=plain,
                sasl=sasl,
                controller=controller,
                user=USER,
                password=PASSWORD,
                data=self._data,
            )
        )

    def start(self) -> None:
        """Start on the same ports with what was kept, and wait until it answers."""
        if not self._data.exists():
            cluster_id = "dHJpcHN3aXRjaC10ZXN0cw"  # any 16 bytes in base64
            tool = ("kafka.tools.StorageTool", "format", "--standalone", "-t", cluster_id)
            subprocess.run(
                (*_JAVA, f"{LIBS}/*", *tool, "-c", str(self._properties)),
                check=True,
                capture_output=True,
            )
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                (*_JAVA, f"{LIBS}/*", "kafka.Kafka", str(self._properties)), stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_LIMIT_S
        while not _answers(self.bootstrap_servers):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Kafka did not start:\n{self._log.read_text()[-3000:]}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Shut down in good order, keeping the data."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End at once, as a power cut would."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """End it after the last test."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop answering while connections stay open."""
        assert self._process is not None
        freeze(self._process)

    def thaw(self) -> None:
        """Go on after `freeze`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.send_signal(signal.SIGCONT)
            self._process.wait(timeout=30)
            self._process = None


class OtherBroker(Broker):
    """A broker that somebody else runs: it can be used and not be stopped."""

    def __init__(self, bootstrap_servers: str) -> None:
        self.bootstrap_servers = bootstrap_servers

    @property
    def sasl_bootstrap_servers(self) -> str:  # type: ignore[override]
        pytest.skip("needs the tests' own broker: its password listener")

    def start(self) -> None:
        """Check that it answers."""
        if not _answers(self.bootstrap_servers):
            unavailable(f"TRIPSWITCH_TEST_KAFKA={self.bootstrap_servers} does not answer")

    def close(self) -> None:
        """Leave it running."""

    def stop(self) -> None:
        """Skip the test that asks for it."""
        pytest.skip("needs the tests' own broker: it is stopped")

    kill = freeze = thaw = stop


def open_broker(directory: Path) -> Broker:
    """The broker for the tests, started; skips or fails where there is no Java or no jars."""
    if OTHER_KAFKA:
        broker: Broker = OtherBroker(OTHER_KAFKA)
    else:
        _have_jars()
        broker = Broker(directory)
    broker.start()
    return broker


def create_topic(
    broker: Broker, partitions: int = 4, name: str | None = None, **settings: str
) -> str:
    """Make a topic, by default with a fresh name."""
    name = name or f"test-{uuid.uuid4().hex[:12]}"
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    try:
        topic = {"num_partitions": partitions, "replication_factor": 1, "configs": settings}
        deadline = time.monotonic() + START_LIMIT_S
        while True:
            try:
                admin.create_topics({name: topic}, wait_for_metadata=True)
                break
            except InvalidReplicationFactorError:  # a busy machine: its broker seemed to be gone
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
    finally:
        admin.close()
    return name


def _have_jars() -> None:
    if shutil.which("java") is None:
        unavailable("no Kafka: java (17 or newer) is not installed")
    if any(LIBS.glob("kafka_*.jar")):
        return
    if shutil.which("mvn") is None:
        unavailable("no Kafka: mvn, which fetches its jars, is not installed")
    fresh = LIBS.with_name(f"kafka-libs-{os.getpid()}")  # whole or not at all
    command = (
        *("mvn", "-q", "-B", "-f", str(Path(__file__).with_name("pom.xml"))),
        *("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={fresh}"),
    )
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        shutil.rmtree(fresh, ignore_errors=True)
        unavailable(f"no Kafka: mvn could not fetch its jars: {result.stdout[-500:]}")
    with contextlib.suppress(OSError):  # another run was faster
        fresh.rename(LIBS)
    shutil.rmtree(fresh, ignore_errors=True)


def _answers(bootstrap_servers: str) -> bool:
    host, _, port = bootstrap_servers.split(",")[0].rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
        admin = KafkaAdminClient(bootstrap_servers=bootstrap_servers, bootstrap_timeout_ms=3000)
    except (OSError, KafkaError):
        return False
    try:
        return bool(admin.describe_cluster()["brokers"])
    except KafkaError:
        return False
    finally:
        admin.close()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
