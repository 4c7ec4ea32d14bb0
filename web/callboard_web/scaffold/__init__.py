"""Writes a new plugin: a distribution of one module with one entity card, and its test."""

import keyword
import shutil
import tempfile
from importlib.metadata import entry_points
from pathlib import Path
from string import Template
from typing import Final

from callboard import CONTRACT, __version__
from callboard.errors import ConflictError, InputError
from callboard.plugins import ENTRY_POINT_GROUP, PLUGIN_NAME

TEMPLATE: Final = Path(__file__).parent / "template"
RESERVED: Final = frozenset({"callboard", "catalog", "portal", "testing", "web"})

_FILES: Final = {
    "pyproject.toml": "pyproject.toml.txt",
    "README.md": "README.md.txt",
    "src/$package/__init__.py": "plugin.py.txt",
    "src/$package/py.typed": "",
    "tests/test_$name.py": "test_plugin.py.txt",
}


def new_plugin(name: str, directory: Path) -> list[Path]:
    """Write the plugin `name` into `directory`, which must not exist or be empty.

    Gives the files written, in their order. All of them appear at once or none does. Raises
    `InputError` for a name that cannot be used and `ConflictError` where something would be
    overwritten.
    """
    _check_name(name)
    if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
        raise ConflictError(f"{directory} exists and is no folder.", hint="Name another one.")
    if directory.exists() and any(directory.iterdir()):
        raise ConflictError(
            f"The folder {directory} is not empty; nothing was written.",
            hint="Name another one with --directory.",
        )
    values = _values(name)
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".callboard-new-", dir=directory.parent) as scratch:
        written = Path(scratch) / "plugin"
        for target, template in _FILES.items():
            path = written / Template(target).substitute(values)
            path.parent.mkdir(parents=True, exist_ok=True)
            text = (TEMPLATE / template).read_text("utf-8") if template else ""
            path.write_text(Template(text).substitute(values), "utf-8")
        if directory.exists():
            directory.rmdir()
        shutil.move(written, directory)
    return [directory / Template(target).substitute(values) for target in _FILES]


def _check_name(name: str) -> None:
    if not PLUGIN_NAME.fullmatch(name):
        raise InputError(
            f"{name[:80]!r} is not the name of a plugin.",
            hint="Expected lower-case letters, digits and underscores, beginning with a letter, "
            "at most 40 characters, such as ci_tekton.",
        )
    if name in RESERVED or keyword.iskeyword(name):
        raise InputError(f"The name {name!r} is reserved.", hint="Choose another name.")
    if name in entry_points(group=ENTRY_POINT_GROUP).names:
        raise ConflictError(
            f"A plugin named {name!r} is installed already.", hint="Choose another name."
        )


def _values(name: str) -> dict[str, str]:
    major, minor, _ = __version__.split(".", 2)
    return {
        "name": name,
        "title": name.replace("_", " ").capitalize(),
        "package": f"callboard_{name}",
        "distribution": f"callboard-{name.replace('_', '-')}",
        "contract": str(CONTRACT),
        "version": f"{major}.{minor}",
        "next_version": f"{major}.{int(minor) + 1}",
    }
