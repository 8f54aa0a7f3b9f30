"""The cluster of compose.cluster.yaml: any one node, service endpoint or web may be away, and writes go on."""

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container

from tests.containers.project import Project, copy_repository
from tests.containers.stack import READY_SECONDS, ContainerServer
from tests.containers.test_compose import VERSION
from tests.containers.test_isolation import reached_by
from tests.support import restate_admin
from tests.support.burst import Burst, adds
from tests.support.history import Outcome, Verdict, describe
from tests.support.running_twin import RunningTwin, restate_twin
from tests.support.waiting import until
from todo_stack.checks import Check
from todo_stack.twins import OUTSIDE_WORLD, RESTATE, Twin

pytestmark = pytest.mark.whole

NODES = FIRST, _, CUT_OFF = ("restate", "restate_2", "restate_3")
ONE_OF_EACH = (*NODES, "restate_app", "web_2")
SERVICES = ("restate_app", "restate_app_2")
WEBS = ("web", "web_2")
NODE_PORTS = {"ingress": 8080, "admin": 9070, "node": 5122}
"""The ports of a node, by the network where each is open."""
NUMBER, NUMBER_DEPLOYING = 150, 1000
"""How many todos are added around each fault, and around a deployment."""
BALANCED = 300
"""How many calls show that both service endpoints get about as many: each call goes to one of them by chance."""
LEAST_SHARE = 0.4
PARTITIONS, SNAPSHOT_SECONDS = 4, 180
MOST = 0.9
"""Of what is asked for around a fault, so much is done or promised at once: the rest is answered with an error."""


class ClusterStack:
    """The cluster as a RunningStack, whose servers have the names of the compose file's services."""

    twins = (RESTATE,)

    def __init__(self, project: Project, engine: docker.DockerClient) -> None:
        """Take the containers of a project that is up."""
        self.project = project
        self.ports = project.ports
        self._engine = engine
        self.containers = {name: engine.containers.get(one["Id"]) for name, one in project.containers().items()}
        self.servers: Mapping[str, ContainerServer] = {
            name: ContainerServer(name, [container], healthy(container)) for name, container in self.containers.items()
        }

    def start(self) -> None:
        """Start what does not run."""
        self.project.up()

    def kill(self) -> None:
        """Kill one container after the other."""
        for server in self.servers.values():
            server.kill()

    def database_url(self, twin: Twin, kind: str = "") -> str:
        """Return the address of the database, for the superuser."""
        del twin, kind
        return f"postgresql://postgres:{self.project.secret('database_password')}@127.0.0.1:{self.ports.postgres}/todos"

    def outside_world_url(self, twin: Twin, *, inside: bool = False) -> str:
        """Return the address of the outside world, from here or from the containers."""
        del twin
        return f"http://{OUTSIDE_WORLD}:5080" if inside else self.ports.outside_world_url

    @contextlib.contextmanager
    def cut_off(self, node: str) -> Iterator[None]:
        """Let a node and the others not reach each other meanwhile; webs and service endpoints reach it."""
        container, name = self.containers[node], f"{self.project.name}_nodes"
        network = self._engine.networks.get(name)
        aliases = container.attrs["NetworkSettings"]["Networks"][name]["Aliases"]
        network.disconnect(container)
        try:
            yield
        finally:
            network.connect(container, aliases=aliases)

    def has_image(self, name: str) -> bool:
        """Return whether the engine has an image, or gets it."""
        with contextlib.suppress(docker.errors.ImageNotFound):
            return bool(self._engine.images.get(name))
        with contextlib.suppress(docker.errors.APIError):
            return bool(self._engine.images.pull(name))
        return False

    def calls_of(self, service: str) -> int:
        """Return how many calls a service endpoint has logged."""
        return sum(b'"invocation_id"' in line for line in self.containers[service].logs().splitlines())


def healthy(container: Container) -> Check:
    """Return a check that a container runs, and says that it is healthy if it says anything."""

    def check() -> bool:
        container.reload()
        return container.status == "running" and container.health in ("healthy", "unknown")

    return check


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterStack]:
    """The cluster, from a fresh copy of the repository."""
    copy_repository(folder := tmp_path_factory.mktemp("clone"))
    ours = Path(__file__).with_name(f"{RESTATE.title}-cluster.override.yaml")
    project = Project(RESTATE, folder, folder / RESTATE.title / "compose.cluster.yaml", ours)
    try:
        project.run("docker", "compose", "build")
        project.up()
        with contextlib.closing(docker.from_env()) as engine:
            yield ClusterStack(project, engine)
    finally:
        project.down("--volumes")


@pytest.fixture
def twin(cluster: ClusterStack) -> RunningTwin:
    """The twin on the cluster, of which everything runs and can be written to."""
    twin = restate_twin(cluster)
    until(lambda: twin.call("POST", json={"title": "before"}).status_code == 201, "a write", READY_SECONDS)
    return twin


def add_during(twin: RunningTwin, fault: Callable[[], object], number: int = NUMBER) -> Burst:
    """Add todos, and let this happen meanwhile. Most are added, whatever it is."""
    burst = adds(twin, number)
    burst.run(fault, at=0.1)
    told = Counter(operation.outcome for operation in burst.operations)
    assert told[Outcome.OK] + told[Outcome.PENDING] >= MOST * number, told
    return burst


def assert_exactly_once(*bursts: Burst) -> None:
    """Nothing is lost, nothing is there twice, and nothing is left over."""
    for burst in bursts:
        verdicts = burst.verdicts()
        assert not verdicts.keys() & {Verdict.LOST, Verdict.DUPLICATED, Verdict.STUCK}, describe(verdicts)


def test_load_is_shared(twin: RunningTwin, cluster: ClusterStack) -> None:
    """Both service endpoints get about as many calls."""
    before = {name: cluster.calls_of(name) for name in SERVICES}
    adds(twin, BALANCED).run()
    calls = {name: cluster.calls_of(name) - before[name] for name in SERVICES}
    assert sum(calls.values()) >= BALANCED
    assert min(calls.values()) >= LEAST_SHARE * sum(calls.values()), calls


@pytest.mark.parametrize("service", ["web", "web_2", *SERVICES, "services", "balancer", "query"])
def test_nodes_are_out_of_reach(cluster: ClusterStack, service: str) -> None:
    """Only nodes reach a node's own port; the admin API only who asks it for the web, and the ingress only the web."""
    may = {"web": "ingress", "query": "admin"}.get(service.removesuffix("_2"))
    names = {what: [*NODES, *(f"restate-{number}-{what}" for number in (1, 2, 3))] for what in NODE_PORTS}
    targets = {f"{name}:{port}" for name in chain(*names.values()) for port in NODE_PORTS.values()}
    expected = {f"{name}:{NODE_PORTS[may]}" for name in names[may]} if may else set()
    assert reached_by(cluster.project, service, targets) == expected


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_one_is_killed(twin: RunningTwin, cluster: ClusterStack, name: str) -> None:
    """Without any one of the servers everybody still writes. It comes back, so that the next one may be away."""
    server = cluster.servers[name]
    burst = add_during(twin, server.kill)
    server.start()
    assert_exactly_once(burst)


def test_one_is_cut_off(twin: RunningTwin, cluster: ClusterStack) -> None:
    """So do they while a node and the others do not reach each other, and when it has found its way back."""
    with contextlib.ExitStack() as cut_off:
        begin = add_during(twin, lambda: cut_off.enter_context(cluster.cut_off(CUT_OFF)))
        end = add_during(twin, cut_off.close)
    assert_exactly_once(begin, end)


def test_deploy(twin: RunningTwin, cluster: ClusterStack) -> None:
    """A version is deployed while everybody writes: both service endpoints and both webs run it in the end."""
    burst = add_during(twin, lambda: cluster.project.run("./deploy.sh", VERSION), NUMBER_DEPLOYING)
    assert_exactly_once(burst)
    now = cluster.project.containers()
    assert {now[name]["Config"]["Image"] for name in (*SERVICES, *WEBS)} == {f"{RESTATE.title}:{VERSION}"}
    assert list(restate_admin.deployments(twin.stack.ports.admin_url).values()) == [
        f"http://services:9080/restate-app-{VERSION}"
    ]


def test_snapshots(twin: RunningTwin, cluster: ClusterStack) -> None:
    """With compose.snapshots.yaml there is, after a while, a snapshot of each partition."""
    project = cluster.project
    files = project.env["COMPOSE_FILE"] + f"{os.pathsep}compose.snapshots.yaml"
    options = [option for name in files.split(os.pathsep) for option in ("--file", name)]
    (image,) = (
        one for one in project.run("docker", "compose", *options, "config", "--images").split() if "moto" in one
    )
    if not cluster.has_image(image):
        pytest.skip(f"no image {image} here, nor a way to get it")
    # For those that come after it, too: a journal whose log was cut off needs its snapshots.
    project.env |= {"COMPOSE_FILE": files, "SNAPSHOT_RECORDS": "100"}
    project.up()
    adds(twin, NUMBER).run()
    ask = "from urllib.request import urlopen as ask; print(ask('http://127.0.0.1:5000/restate?list-type=2').read())"

    def snapshots() -> int:
        listed = project.run("docker", "compose", "exec", "-T", "snapshots", "python", "-c", ask)
        return listed.count("/latest.json<")

    until(lambda: snapshots() == PARTITIONS, "a snapshot of each partition", SNAPSHOT_SECONDS)


def test_volume_is_lost(twin: RunningTwin, cluster: ClusterStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node without its data is neither what it was nor a cluster of its own; with a new name it joins."""
    project = cluster.project

    def lose() -> None:
        # Stopped, identity has the volume, too.
        project.run("docker", "compose", "rm", "--stop", "--force", FIRST, "identity")
        project.run("docker", "volume", "rm", f"{project.name}_{FIRST}")

    burst = add_during(twin, lose)
    with pytest.raises(AssertionError, match="unhealthy"):
        project.up()
    assert "data-loss" in project.run("docker", "compose", "logs", "--no-log-prefix", FIRST)
    monkeypatch.setitem(project.env, "RESTATE_1_NAME", "restate-4")
    project.up()
    assert_exactly_once(burst, add_during(twin, lambda: None))
