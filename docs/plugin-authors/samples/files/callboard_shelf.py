import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel

from callboard import hookimpl
from callboard.contributions import Checks, FileSource, SourceContext, SourceFile, Sources
from callboard.doctor import Check, Finding
from callboard.host import Host

CALLBOARD_CONTRACT = 1


class ShelfSettings(BaseModel):
    path: Path


def list_files(context: SourceContext) -> Iterator[SourceFile]:
    shelf: Path = context.host.settings.path
    for file in sorted(shelf.glob("*/*/catalog-info.yaml")):
        project = f"{file.parent.parent.name}/{file.parent.name}"
        yield SourceFile(
            path=f"{project}/{file.name}",
            version=hashlib.sha256(file.read_bytes()).hexdigest(),
            root=project,
            view_url=f"https://shelf.example.com/{project}/{file.name}",
            annotations={"shelf.example.com/project-slug": project},
        )


def read_files(context: SourceContext, files: Sequence[SourceFile]) -> Iterable[tuple[str, bytes]]:
    for file in files:
        yield file.path, Path(context.host.settings.path, file.path).read_bytes()


def make_sources(host: Host) -> list[FileSource]:
    return [FileSource(name="shelf", title="Shelf", list=list_files, read=read_files)]


def look(host: Host) -> list[Check]:
    shelf: Path = host.settings.path

    def find() -> Iterator[Finding]:
        if shelf.is_dir():
            yield Finding("ok", f"Shelf {shelf} is there.")
        else:
            yield Finding(
                "bad", f"Shelf {shelf} is missing.", next_step="Mount it, or correct path."
            )

    return [Check("Shelf", find)]


@hookimpl
def callboard_settings() -> type[BaseModel]:
    return ShelfSettings


@hookimpl
def callboard_entity_sources() -> Iterable[Sources]:
    return [Sources(sources=make_sources)]


@hookimpl
def callboard_checks() -> Iterable[Checks]:
    return [Checks(checks=look)]
