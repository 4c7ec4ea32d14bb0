"""`python -m callboard_sandbox FOLDER`: the cluster on its own, without a portal."""

import signal
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from callboard_sandbox.running import Cluster
from callboard_sandbox.settings import SandboxSettings

app = typer.Typer(add_completion=False)


@app.command()
def serve(
    folder: Annotated[Path, typer.Argument(help="Where its state and kubeconfig are kept.")],
    port: Annotated[int, typer.Option(help="The port on 127.0.0.1; 0 takes a free one.")] = 6480,
    speed: Annotated[float, typer.Option(help="How fast pipelines run.")] = 1.0,
) -> None:
    """Serve a sandbox cluster until a signal comes."""
    settings = SandboxSettings(serve=True, port=port, speed=speed)
    cluster = Cluster(folder, settings, clock=lambda: datetime.now(UTC))
    ending = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: ending.set())
    cluster.start()
    typer.echo(f"The sandbox answers on {cluster.server.address}; kubeconfig {cluster.kubeconfig}")
    ending.wait()
    cluster.stop()


if __name__ == "__main__":
    app()
