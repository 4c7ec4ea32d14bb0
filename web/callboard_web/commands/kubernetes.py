"""`callboard kubernetes`."""

import re
from typing import Annotated, Final

import typer

from callboard.contributions import ClusterRule
from callboard.errors import InputError
from callboard.plugins import Contributed
from callboard_web.commands.common import opened

app = typer.Typer(help="Clusters: what the portal's account needs there.", no_args_is_help=True)

NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,40}[a-z0-9])?")


@app.callback()
def kubernetes() -> None:
    """Clusters: what the portal's account needs there."""


@app.command()
def rbac(
    plugin: Annotated[
        list[str] | None, typer.Option(help="Only what this plugin asks for; repeatable.")
    ] = None,
    namespace: Annotated[
        list[str] | None,
        typer.Option(
            help="Only in this namespace, by a Role; repeatable. Else in the whole cluster."
        ),
    ] = None,
    required: Annotated[
        bool, typer.Option("--required", help="Leave out what serves optional acts.")
    ] = False,
    account: Annotated[str, typer.Option(help="Name of the service account.")] = "callboard",
    home: Annotated[str, typer.Option(help="Namespace of the service account.")] = "callboard",
) -> None:
    """Print manifests that grant the portal what its plugins ask for in a cluster, and no more.

    Hand them to `kubectl apply -f -`. No cluster is asked.
    """
    from callboard.kubernetes.manifests import Manifests

    for name in (account, home, *(namespace or ())):
        if not NAME.fullmatch(name):
            raise InputError(f"{name} is no name in Kubernetes.", hint="Expected one like shop-2.")
    with opened() as runtime:
        chosen = _chosen(tuple(runtime.services.cluster_rules()), plugin or ())
        if required:
            chosen = [rule for rule in chosen if not rule.value.optional]
        typer.echo(Manifests(account, home, namespace or ()).write(chosen), nl=False)


def _chosen(
    rules: tuple[Contributed[ClusterRule], ...], plugins: list[str] | tuple[str, ...]
) -> list[Contributed[ClusterRule]]:
    asking = {rule.plugin for rule in rules}
    for name in plugins:
        if name not in asking:
            known = ", ".join(sorted(asking)) or "none"
            raise InputError(
                f"The plugin {name} asks for nothing in clusters.", hint=f"These do: {known}."
            )
    return [rule for rule in rules if not plugins or rule.plugin in plugins]
