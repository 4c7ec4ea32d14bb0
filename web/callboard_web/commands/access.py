"""`callboard access`."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

from callboard import audit
from callboard.access import Access, Differences, PolicyFault, Reason
from callboard.access.argocd import Project
from callboard.access.assembly import PolicyPart
from callboard.access.documents import SUFFIXES, policy_of_files, read_file
from callboard.access.parts import EXPLAIN_OTHERS
from callboard.access.settings import subject_name
from callboard.entities import EntityRef
from callboard.errors import InputError
from callboard.identity import NOBODY, EntityFacts, Principal, Selector, Subject
from callboard_web.commands.common import opened, running, table
from callboard_web.personal import Personal
from callboard_web.runtime import Runtime

app = typer.Typer(no_args_is_help=True, help="Roles, bindings and what they allow.")

Files = Annotated[
    list[Path], typer.Argument(help="Files of policies, or folders of them.", show_default=False)
]
DefaultRole = Annotated[str, typer.Option(help="The policy.default of files of Argo CD.")]
ProjectOption = Annotated[
    str, typer.Option(help="What a project of Argo CD is: system, domain, namespace, environment.")
]


@app.command("check")
def check(files: Files, default_role: DefaultRole = "", project: ProjectOption = "system") -> None:
    """Check files of policies, as in the CI of their repository; the database is not asked."""
    part, count = _read(files, default_role, project)
    with opened() as runtime:
        services = runtime.services
        access = Access(services.access.settings, services.permissions())
        faults = _of_files(access.policy_with(part)[1], part)
    errors = sum(fault.severity == "error" for fault in faults)
    for fault in faults:
        typer.echo(f"{fault.place}: {fault.severity}: {fault.message}", err=True)
    typer.echo(
        f"{count} files, {len(part.roles)} roles, {len(part.bindings)} bindings, {errors} errors."
    )
    if errors:
        raise typer.Exit(1)


def _of_files(faults: Iterable[PolicyFault], part: PolicyPart) -> list[PolicyFault]:
    """Leave out faults of the settings themselves, and those that are there twice."""
    places = [item.source for item in part.roles] + [item.source for item in part.bindings]
    own = {fault.file for fault in part.faults}
    own |= {str(place).rpartition(":")[0] or str(place) for place in places}
    found = dict.fromkeys(fault for fault in faults if fault.file in own)
    return sorted(found, key=lambda fault: (fault.file, fault.line))


def _read(files: Sequence[Path], default_role: str, project: str) -> tuple[PolicyPart, int]:
    if project not in get_args(Project):
        raise InputError(f"--project is {project!r}; expected {', '.join(get_args(Project))}.")
    kind: Project = project  # type: ignore[assignment]
    paths = [path for given in files for path in _paths(given)]
    read = [read_file(path.read_bytes(), path.as_posix()) for path in paths]
    return policy_of_files(read, default_role=default_role, project=kind), len(paths)


def _paths(given: Path) -> list[Path]:
    if given.is_dir():
        return sorted(
            path for path in given.rglob("*") if path.is_file() and path.suffix in SUFFIXES
        )
    if not given.is_file():
        raise InputError(f"There is no file {given}.")
    return [given]


@app.command("list")
def list_policy(
    what: Annotated[
        str, typer.Argument(help="sources, roles, bindings or permissions.", show_default=True)
    ] = "sources",
) -> None:
    """List where policies come from, all roles, all bindings, or all permissions."""
    with running() as runtime:
        access = runtime.services.access
        if what == "sources":
            _list_sources(access)
        elif what == "roles":
            table(
                [
                    (item.name, ", ".join((*item.permissions, *item.includes))[:100],
                     str(item.source))
                    for item in access.policy.roles.values()
                ],
                ("role", "permissions", "from"),
            )  # fmt: skip
        elif what == "bindings":
            table(
                [
                    (item.effect, item.role, ", ".join(sorted(item.subjects))[:80],
                     selector_text(item.on)[:100], str(item.source))
                    for item in access.policy.bindings
                ],
                ("effect", "role", "to", "on", "from"),
            )  # fmt: skip
        elif what == "permissions":
            table(
                [
                    (item.name, item.about, item.role, str(item.title))
                    for item in sorted(access.permissions.values(), key=lambda item: item.name)
                ],
                ("permission", "about", "least role", "what"),
            )
        else:
            raise InputError(
                f"{what!r} is nothing to list; expected sources, roles, bindings or permissions."
            )


def _list_sources(access: Access) -> None:
    rows = [
        (str(item.title), item.state, item.revision[:12], str(item.roles), str(item.bindings),
         "" if item.succeeded_at is None else item.succeeded_at.isoformat(" ", "seconds"))
        for item in access.sources
    ]  # fmt: skip
    table(rows, ("source", "state", "revision", "roles", "bindings", "last read"))
    for item in access.sources:
        if item.error:
            typer.echo(f"{item.title}: {item.error}", err=True)
    for fault in access.faults:
        typer.echo(f"{fault.place}: {fault.severity}: {fault.message}", err=True)


def selector_text(on: Selector) -> str:
    """Write a selector in one line: `system=system:default/shop owned`."""
    parts = [
        f"{name}={','.join(sorted(values))}"
        for name, values in (
            ("kind", on.kinds), ("type", on.types), ("owner", on.owners), ("system", on.systems),
            ("domain", on.domains), ("namespace", on.namespaces), ("tag", on.tags),
            ("environment", on.environments), ("entity", on.refs),
        )
        if values
    ]  # fmt: skip
    return " ".join([*parts, *(["owned"] if on.owned else [])]) or "everything"


@app.command("explain")
def explain(
    subject: Annotated[str, typer.Argument(help="Such as user:default/ada or anonymous.")],
    permission: Annotated[str, typer.Argument(help="Such as catalog.entity.read.")],
    entity: Annotated[str, typer.Option(help="Reference of the entity, if it is about one.")] = "",
    environment: Annotated[str, typer.Option(help="Environment that is acted on.")] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Also list bindings that are for others.")
    ] = False,
) -> None:
    """Say why somebody may do something or not. Ends with 1 where they may not."""
    with running() as runtime:
        asker = _subject(runtime, subject)
        facts = _facts(runtime, entity)
        found = runtime.services.access.explain(asker, permission, facts, environment=environment)
        with runtime.database.write() as connection:
            audit.record(
                connection, EXPLAIN_OTHERS, subject, at=runtime.now(),
                after={"permission": permission, "entity": entity, "allowed": found.allowed},
            )  # fmt: skip
    typer.echo("allowed" if found.allowed else "not allowed")
    for reason in found.reasons:
        typer.echo(f"  {reason.effect}: {reason.text}")
    rows = [
        (item.outcome, item.effect, item.binding.role, selector_text(item.binding.on)[:80],
         str(item.binding.source), str(item.why))
        for item in found.bindings
        if everything or item.outcome != "subject"
    ]  # fmt: skip
    if rows:
        typer.echo("")
        table(rows, ("binding", "effect", "role", "on", "from", "why"))
    for verdict in found.verdicts:
        typer.echo(f"{verdict.title}: {verdict.verdict}: {verdict.reason}")
    if not found.allowed:
        raise typer.Exit(1)


def _subject(runtime: Runtime, name: str) -> Subject:
    if name == "anonymous":
        return NOBODY
    try:
        checked = subject_name(name)
    except ValueError as error:
        raise InputError(f"{name!r} is no name of a subject: {error}.") from None
    principal = Principal(kind="person", name=checked)
    if not checked.startswith(("user:", "group:")):
        return Subject(principal=principal, names=(checked,))
    ref = EntityRef.parse(checked)
    above = Personal(runtime.database, runtime.catalog, runtime.now).mine(ref)
    return Subject(principal=principal, mine=above or (ref,))


def _facts(runtime: Runtime, entity: str) -> EntityFacts | None:
    if not entity:
        return None
    return runtime.services.facts(EntityRef.parse(entity, default_kind="component"))


@app.command("dry-run")
def dry_run(
    files: Files, default_role: DefaultRole = "", project: ProjectOption = "system"
) -> None:
    """Tell which recorded requests would be decided otherwise with other policies.

    The files take the place of all that is read from folders and repositories.
    """
    part, _count = _read(files, default_role, project)
    with running() as runtime:
        access = runtime.services.access
        policy, faults = access.policy_with(part)
        errors = [fault for fault in _of_files(faults, part) if fault.severity == "error"]
        for fault in errors:
            typer.echo(f"{fault.place}: {fault.message}", err=True)
        if errors:
            raise typer.Exit(1)
        _tell(access.dry_run(policy))


def _tell(found: Differences) -> None:
    typer.echo(
        f"{found.compared} requests compared: {len(found.gained)} would be allowed that are not, "
        f"{len(found.lost)} refused that are allowed."
    )
    words: tuple[Literal["allowed", "refused"], ...] = ("allowed", "refused")
    rows = [
        (word, str(item.subject.principal), item.permission,
         item.facts.ref if item.facts else "the portal", str(item.count), _why(item.reasons))
        for word, items in zip(words, (found.gained, found.lost), strict=True)
        for item in items
    ]  # fmt: skip
    if rows:
        table(rows, ("then", "who", "permission", "on", "count", "why"))


def _why(reasons: Sequence[Reason]) -> str:
    return str(reasons[0].text) if reasons else ""
