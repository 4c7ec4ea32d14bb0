"""Bring the translation catalogs up to date with the texts in code and templates.

python tools/extract_messages.py            adds new texts, takes out those no longer used
python tools/extract_messages.py --check    changes nothing; fails where a catalog is behind
"""

import argparse
import ast
import io
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT: Final = Path(__file__).resolve().parent.parent
LANGUAGES: Final = ("zh_CN",)
METHODS: Final = [("**.py", "python"), ("**/templates/**.html", "jinja2.ext:babel_extract")]
OPTIONS: Final = {
    "**/templates/**.html": {
        "trimmed": "true", "silent": "false", "extensions": "jinja2.ext.do",
        "trim_blocks": "true", "lstrip_blocks": "true",
    }
}  # fmt: skip
KEYWORDS: Final[dict[str, Any]] = {
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    # The methods of `callboard.i18n.Translator`.
    "context": ((1, "c"), 2),
    "plural": (1, 2),
}
PLACE: Final = re.compile(r"%\((\w+)\)|%%|%")


@dataclass(frozen=True)
class Domain:
    """One translation domain: the source it is made from, and where its catalogs are."""

    name: str
    sources: tuple[Path, ...]
    locales: Path


def domains(root: Path = ROOT) -> Iterator[Domain]:
    """Give the host's domain, and that of each plugin and example that speaks several languages."""
    web = root / "web" / "callboard_web"
    host = (root / "core" / "callboard", root / "catalog" / "callboard_catalog", web)
    yield Domain("callboard", host, web / "locales")
    for package in sorted([*root.glob("plugins/*/src/*"), *root.glob("examples/*/src/*")]):
        if (package / "locales").is_dir():
            yield Domain(package.name, (package,), package / "locales")


def template_of(domain: Domain) -> Catalog:
    """Collect the texts of a domain."""
    catalog = Catalog(project=domain.name, charset="utf-8")
    for source in domain.sources:
        found = extract_from_dir(
            str(source), METHODS, OPTIONS, KEYWORDS, comment_tags=("Translators:",),
            strip_comment_tags=True, directory_filter=_is_source,
        )  # fmt: skip
        for filename, _line, text, comments, context in sorted(found, key=_position):
            place = (f"{source.name}/{Path(filename).as_posix()}", None)
            catalog.add(text, None, [place], auto_comments=comments, context=context)  # type: ignore[list-item]
        for path in sorted(source.rglob("settings*.py")) + sorted(source.rglob("settings/*.py")):
            place = (f"{source.name}/{path.relative_to(source).as_posix()}", None)
            for text in descriptions_in(path):
                catalog.add(text, None, [place])  # type: ignore[list-item]
    return catalog


def descriptions_in(path: Path) -> Iterator[str]:
    """Give what the fields of settings models say of themselves: the page of settings shows it."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            for keyword in node.keywords if node.func.id == "Field" else ():
                value = keyword.value
                if keyword.arg == "description" and isinstance(value, ast.Constant):
                    yield str(value.value)


def _position(found: tuple[Any, ...]) -> tuple[str, int]:
    return found[0], found[1]


def _is_source(directory: str) -> bool:
    name = Path(directory).name
    return not name.startswith((".", "__")) and name not in ("demo", "scaffold", "static")


def faults_of(path: Path, template: Catalog, language: str) -> list[str]:
    """Give what is missing, unfinished, no longer used or wrongly filled in a catalog."""
    if not path.is_file():
        return [f"{path}: there is no such file"]
    existing = _read(path, language)
    wanted = {(message.context, message.id if isinstance(message.id, str) else message.id[0])
              for message in template if message.id}  # fmt: skip
    faults = []
    seen = set()
    for message in existing:
        if not message.id:
            continue
        key = (message.context, message.id if isinstance(message.id, str) else message.id[0])
        seen.add(key)
        faults += [f"{path}: {fault}: {key[1]!r}" for fault in _faults(message, key in wanted)]
    faults += [f"{path}: missing: {text!r}" for _, text in sorted(wanted - seen, key=str)]
    return faults


def _faults(message: Any, is_used: bool) -> Iterator[str]:
    strings = [message.string] if isinstance(message.string, str) else list(message.string)
    if not is_used:
        yield "no longer used"
    if not all(strings):
        yield "not translated"
    if message.fuzzy:
        yield "fuzzy"
    ids = [message.id] if isinstance(message.id, str) else list(message.id)
    known = set(PLACE.findall(" ".join(ids))) - {""}
    for text in filter(None, strings):
        if set(PLACE.findall(text)) - {""} - known:
            yield "names a place that the text does not have"


def _read(path: Path, language: str) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=language)


def update(path: Path, template: Catalog, language: str) -> bool:
    """Write a catalog anew with what it has translated so far; say whether it changed."""
    catalog = _read(path, language) if path.is_file() else Catalog(locale=language)
    catalog.update(template, no_fuzzy_matching=True)
    catalog.obsolete.clear()
    buffer = io.BytesIO()
    write_po(buffer, catalog, width=100, omit_header=True, sort_output=True, include_lineno=False)
    header = (
        'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n'
        f'"Language: {language}\\n"\n"Plural-Forms: {catalog.plural_forms}\\n"\n\n'
    ).encode()
    content = (header + buffer.getvalue()).rstrip() + b"\n"
    changed = not path.is_file() or path.read_bytes() != content
    if changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return changed


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing, fail when behind")
    check = parser.parse_args(arguments).check
    faults: list[str] = []
    for domain in domains():
        template = template_of(domain)
        for language in LANGUAGES:
            path = domain.locales / f"{language}.po"
            if not check and update(path, template, language):
                print(f"{path.relative_to(ROOT)} written")
            faults += faults_of(path, template, language)
    print("\n".join(faults) or "All texts are translated.", file=sys.stderr if faults else None)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
