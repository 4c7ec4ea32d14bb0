"""How a cluster is reached: kubeconfig, token file, authority, from within, through a proxy."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from recorded_cluster import (
    BREAK,
    ClusterServer,
    Reply,
    Request,
    make_certificate,
    server_context,
    status,
    write_kubeconfig,
)

from callboard.kubernetes import ClusterError
from callboard.kubernetes.connection import Connection
from callboard.kubernetes.settings import ClusterSettings, KubernetesSettings

VERSION = Reply({"gitVersion": "v1.36.2"})


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def server(certificate: Path) -> Iterator[ClusterServer]:
    made = ClusterServer(server_context(certificate))
    made.on("GET", "/version", VERSION)
    yield made
    made.close()


@pytest.fixture
def plain() -> Iterator[ClusterServer]:
    made = ClusterServer()
    made.on("GET", "/version", VERSION)
    yield made
    made.close()


def tokens(server: ClusterServer) -> list[str]:
    return [request.headers.get("authorization", "").lower() for request in server.seen]


def ask(settings: ClusterSettings) -> None:
    connection = Connection(settings)
    assert connection.read("/version") == {"gitVersion": "v1.36.2"}
    connection.close()


def test_a_kubeconfig_names_server_authority_and_token(
    server: ClusterServer, certificate: Path, tmp_path: Path
) -> None:
    file = write_kubeconfig(tmp_path / "config", server.address, {"token": "t-1"}, certificate)
    ask(ClusterSettings(name="build", kubeconfig=file, context="work"))
    assert tokens(server) == ["bearer t-1"]
    assert server.seen[0].headers["user-agent"] == "callboard"


def test_a_kubeconfig_may_name_a_token_file(
    server: ClusterServer, certificate: Path, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("t-2\n")
    file = write_kubeconfig(
        tmp_path / "config", server.address, {"tokenFile": "token"}, certificate
    )
    ask(ClusterSettings(name="build", kubeconfig=file, context="work"))
    assert tokens(server) == ["bearer t-2"]


def test_an_address_with_token_and_authority(server: ClusterServer, certificate: Path) -> None:
    ask(ClusterSettings(name="build", server=server.address, ca_file=certificate,
                        token=SecretStr("t-3")))  # fmt: skip
    assert tokens(server) == ["bearer t-3"]


def test_a_server_that_is_not_trusted_is_not_told_the_token(server: ClusterServer) -> None:
    connection = Connection(
        ClusterSettings(name="build", server=server.address, token=SecretStr("t-4"))
    )
    with pytest.raises(ClusterError) as raised:
        connection.read("/version")
    assert raised.value.state == "down"
    assert "certificate" in raised.value.said
    assert server.seen == []


def test_within_a_cluster_the_files_of_the_pod_are_used(
    server: ClusterServer, certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("t-5\n")
    inside = "kubernetes.config.incluster_config"
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(server.port))
    monkeypatch.setattr(f"{inside}.SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(f"{inside}.SERVICE_CERT_FILENAME", str(certificate))
    ask(ClusterSettings(name="own", in_cluster=True))
    assert tokens(server) == ["bearer t-5"]


def test_outside_of_a_cluster_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ClusterError, match="Service host") as raised:
        Connection(ClusterSettings(name="own", in_cluster=True)).read("/version")
    assert raised.value.state == "misconfigured"


def test_a_token_that_expired_is_read_again_once(plain: ClusterServer, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old")
    good = {"bearer old"}
    connection = Connection(ClusterSettings(name="build", server=plain.address, token_file=file))

    def answer(request: Request) -> Reply:
        known = request.headers.get("authorization", "").lower() in good
        return VERSION if known else status(401, "Unauthorized", "Unauthorized")

    plain.on("GET", "/version", answer)
    connection.read("/version")
    file.write_text("new")
    good.clear()
    good.add("bearer new")
    connection.read("/version")
    assert tokens(plain) == ["bearer old", "bearer old", "bearer new"]

    # Credentials that stay refused are not read again with each request.
    good.clear()
    for _time in range(3):
        with pytest.raises(ClusterError) as raised:
            connection.read("/version")
        assert raised.value.state == "unauthenticated"
    assert len(plain.seen) == 6


def test_credentials_that_stay_refused_are_tried_twice(plain: ClusterServer) -> None:
    plain.on("GET", "/version", status(401, "Unauthorized", "Unauthorized"))
    connection = Connection(
        ClusterSettings(name="build", server=plain.address, token=SecretStr("bad"))
    )
    with pytest.raises(ClusterError):
        connection.read("/version")
    assert len(plain.seen) == 2


@pytest.mark.parametrize("key", ["kubeconfig", "token_file", "ca_file"])
def test_a_file_that_is_not_there_is_told_and_read_once_it_is(
    key: str, plain: ClusterServer, certificate: Path, tmp_path: Path
) -> None:
    file = tmp_path / "named"
    given = {"kubeconfig": file} if key == "kubeconfig" else {"server": plain.address, key: file}
    values = {"name": "build", "context": "work" if key == "kubeconfig" else "", **given}
    connection = Connection(ClusterSettings.model_validate(values))
    with pytest.raises(ClusterError) as raised:
        connection.read("/version")
    assert raised.value.state == "misconfigured"
    assert f"{file} cannot be read: No such file or directory" in str(raised.value)
    if key == "kubeconfig":
        write_kubeconfig(file, plain.address, {"token": "t"})
    else:
        file.write_bytes(certificate.read_bytes() if key == "ca_file" else b"t")
    assert connection.read("/version")


def test_a_kubeconfig_that_is_none_is_told(tmp_path: Path) -> None:
    file = tmp_path / "config"
    for text in ("", "a: [", "contexts: 3\ncurrent-context: a\n"):
        file.write_text(text)
        with pytest.raises(ClusterError) as raised:
            Connection(ClusterSettings(name="build", kubeconfig=file)).read("/version")
        assert raised.value.state == "misconfigured"


def test_a_cluster_that_is_away_is_down() -> None:
    connection = Connection(ClusterSettings(name="build", server="https://127.0.0.1:1"))
    with pytest.raises(ClusterError) as raised:
        connection.read("/version")
    assert (raised.value.state, raised.value.said) == ("down", "Connection refused")
    assert raised.value.passes


def test_a_cluster_that_does_not_answer_in_time_is_slow(plain: ClusterServer) -> None:
    go_on = threading.Event()

    def answer(request: Request) -> Reply:
        go_on.wait(20)
        return VERSION

    plain.on("GET", "/version", answer)
    connection = Connection(ClusterSettings(name="build", server=plain.address))
    with pytest.raises(ClusterError) as raised:
        connection.ask("GET", "/version", read_seconds=0.05)
    go_on.set()
    assert raised.value.state == "slow"


def test_an_answer_that_breaks_off_is_down(plain: ClusterServer) -> None:
    plain.on("GET", "/version", Reply(pieces=[b'{"git', BREAK]))
    connection = Connection(ClusterSettings(name="build", server=plain.address))
    with pytest.raises(ClusterError) as raised:
        connection.read("/version")
    assert raised.value.state == "down"


def test_an_answer_is_bounded(plain: ClusterServer) -> None:
    plain.on("GET", "/version", Reply(pieces=[b"a" * 60, b"b" * 60]))
    connection = Connection(ClusterSettings(name="build", server=plain.address))
    with pytest.raises(ClusterError, match="more than was asked for"):
        connection.ask("GET", "/version").read(limit=100)
    with pytest.raises(ClusterError, match="line without an end"):
        list(connection.ask("GET", "/version").lines(limit=100))


def test_a_proxy_is_asked_for_the_cluster(plain: ClusterServer) -> None:
    # It is asked with the whole address, as plain HTTP is through a proxy.
    plain.on("GET", "/version", VERSION)
    ask(ClusterSettings(name="build", server="http://127.0.0.1:1", proxy=plain.address))
    assert len(plain.seen) == 1


def test_how_it_fares_is_noted_with_each_request(plain: ClusterServer) -> None:
    noted: list[str] = []
    connection = Connection(
        ClusterSettings(name="build", server=plain.address),
        lambda error: noted.append(error.state if error else "answering"),
    )
    connection.read("/version")
    for reply in (status(404, "NotFound", details={"name": "a"}), status(429, "TooManyRequests")):
        plain.on("GET", "/version", reply)
        with pytest.raises(ClusterError):
            connection.read("/version")
    assert noted == ["answering", "answering", "busy"]


def test_a_stream_is_ended_from_another_thread(server: ClusterServer, certificate: Path) -> None:
    go_on = threading.Event()

    def pieces() -> Iterator[bytes]:
        yield b"one\ntw"
        go_on.wait(20)

    server.on("GET", "/stream", lambda request: Reply(pieces=pieces()))
    connection = Connection(
        ClusterSettings(name="build", server=server.address, ca_file=certificate)
    )
    answer = connection.ask("GET", "/stream")
    lines: list[bytes] = []
    first = threading.Event()

    def read() -> None:
        for line in answer.lines():
            lines.append(line)
            first.set()

    thread = threading.Thread(target=read)
    thread.start()
    assert first.wait(20)
    answer.stop()
    thread.join(20)
    assert not thread.is_alive()
    go_on.set()
    assert lines == [b"one"]


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({}, "give one of kubeconfig, in_cluster and server"),
        ({"in_cluster": True, "server": "https://a"}, "give one of"),
        ({"in_cluster": True, "context": "a"}, "context belongs to kubeconfig"),
        ({"in_cluster": True, "token": "a"}, "belong to server"),
        ({"server": "https://a", "token": "a", "token_file": "b"}, "not both"),
        ({"server": "http://a.example"}, "must begin with https"),
        ({"in_cluster": True, "proxy": "a"}, "a proxy URL"),
        ({"in_cluster": True, "namespaces": ["A"]}, "a namespace"),
    ],
)
def test_settings_that_lead_nowhere_are_faults(values: dict[str, object], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        ClusterSettings.model_validate({"name": "build", **values})


def test_names_of_clusters_differ() -> None:
    one = {"name": "build", "in_cluster": True}
    with pytest.raises(ValidationError, match="used twice"):
        KubernetesSettings.model_validate({"clusters": [one, one]})
