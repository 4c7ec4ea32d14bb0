"""A thousand repositories with nothing changed, on this machine's disk and behind a server."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml
from catalogs import configure, observing
from processes import BenchError, free_port, run

Figure = dict[str, Any]

REPOSITORIES: Final = 1_000
SERVER: Final = Path(__file__).with_name("git_host.py")


def measure(directory: Path, url: str, *, by_server: bool) -> Figure:
    """Read many repositories of one file each, and again with nothing changed."""
    root = directory / "repositories"
    root.mkdir()
    places = [_repository(root / f"r{number:04}", number) for number in range(REPOSITORIES)]
    with _host(root, directory) if by_server else contextlib.nullcontext(root.as_uri()) as base:
        addresses = [f"{base}/{place.name}" for place in places]
        config = _configure(directory, url, root, addresses)
        run(config, "db", "upgrade")
        first = run(config, "catalog", "refresh")
        with observing(url) as observer:
            if observer.entities() != REPOSITORIES:
                raise BenchError(f"{observer.entities()} entities of {REPOSITORIES} repositories.")
            time.sleep(1)  # until the statistics of the server are told
            before = observer.writes()
            again = run(config, "catalog", "refresh")
            time.sleep(1)
            writes = observer.writes() - before
    return {
        "by": "https" if by_server else "disk",
        "repositories": REPOSITORIES, "seconds": first.seconds, "unchanged_seconds": again.seconds,
        "unchanged_cpu": again.cpu_seconds, "unchanged_writes": writes,
    }  # fmt: skip


def _configure(directory: Path, url: str, root: Path, addresses: list[str]) -> Path:
    config = configure(directory, database=url, port=free_port(), catalog=None)
    settings = yaml.safe_load(config.read_text("utf-8"))
    settings["git"]["allow_local"] = [str(root)]
    settings["http"] = {"ca_bundle": str(directory / "certificate.pem")}
    settings["catalog"]["sources"] = [
        {"name": address.rpartition("/")[2], "type": "git", "url": address, "paths": ["*.yaml"],
         "schedule": "1h"}
        for address in addresses
    ]  # fmt: skip
    _certify(directory)
    config.write_text(yaml.safe_dump(settings), "utf-8")
    return config


def _repository(place: Path, number: int) -> Path:
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", place], check=True)
    text = (
        "apiVersion: backstage.io/v1alpha1\nkind: Component\n"
        f"metadata: {{name: part-{number:04}}}\n"
        "spec: {type: library, lifecycle: production, owner: team}\n"
    )
    stream = (
        "commit refs/heads/main\ncommitter Bench <bench@callboard.invalid> 1760000000 +0000\n"
        f"data 4\nmadeM 644 inline catalog-info.yaml\ndata {len(text)}\n{text}\n"
    ).replace("madeM", "made\nM")
    subprocess.run(
        ["git", "-C", place, "fast-import", "--quiet"], input=stream.encode(), check=True
    )
    return place


def _certify(directory: Path) -> None:
    """Make a certificate for this machine, which the portal is told to trust."""
    if (directory / "certificate.pem").exists():
        return
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", directory / "key.pem", "-out", directory / "certificate.pem"],
        check=True, capture_output=True,
    )  # fmt: skip


@contextlib.contextmanager
def _host(root: Path, directory: Path) -> Iterator[str]:
    """Serve the repositories from a process of its own."""
    _certify(directory)
    process = subprocess.Popen([sys.executable, SERVER, root, directory], stdout=subprocess.PIPE)
    try:
        assert process.stdout
        yield f"https://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.communicate()


def tables(figures: Mapping[str, Any]) -> Iterator[str]:
    """Give the page's part about them."""
    found = figures.get("sources", [])
    if not found:
        return
    rows: Sequence[tuple[str, Callable[[Mapping[str, Any]], str]]] = (
        ("first reading", lambda item: f"{item['seconds']:.1f} s"),
        ("again with nothing changed (5 s at most)",
         lambda item: f"{item['unchanged_seconds']:.2f} s, of it processor "
         f"{item['unchanged_cpu']:.2f} s"),
        ("rows written then", lambda item: str(item["unchanged_writes"])),
    )  # fmt: skip
    yield f"| {REPOSITORIES:,} repositories, each a source | " + " | ".join(
        {"disk": "on this disk", "https": "behind https"}[item["by"]] for item in found
    ) + " |\n|" + "---|" * (len(found) + 1) + "\n" + "".join(
        f"| {name} | {' | '.join(tell(item) for item in found)} |\n"
        for name, tell in rows
    )  # fmt: skip
