"""Asks for known weaknesses of all that is pinned, and writes a bill of materials (CycloneDX).

    supply_chain.py TOOLS [--output FILE] [--strict]

TOOLS is a folder with `pip-audit` and `cyclonedx-py`. The bill lists what an installation needs to
run, not what developing needs, and the files of others that are within the distributions. Exits 1
for a known weakness, and with --strict also where a package could not be asked about.
"""

import argparse
import hashlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import orjson
from packaging.utils import canonicalize_name

from callboard_web.administration.software import packages

ROOT: Final = Path(__file__).resolve().parents[1]
ROW: Final = re.compile(
    r"\| `(?P<file>[^`]+)` \|.*?\(`(?P<package>[^`]+)` on npm.*?\| (?P<version>[\d.]+) \|"
)
SECONDS: Final = 300
Command = list[str | Path]
PARTS: Final = ("core", "catalog", "web", "plugins")


def main() -> int:
    """Audit, then write the bill."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tools", type=Path)
    parser.add_argument("--output", type=Path, default=ROOT / "dist" / "callboard.cdx.json")
    parser.add_argument("--strict", action="store_true")
    chosen = parser.parse_args()
    weak, unknown, asked = audited(chosen.tools)
    for line in weak:
        print(line)
    if unknown:
        print(f"{unknown} of {asked} packages could not be asked about: the package index in use "
              "has no advisories. Run this where they can be reached.")  # fmt: skip
    else:
        print(f"{asked} packages asked about, {len(weak)} known weaknesses.")
    bill = bill_of_materials(chosen.tools)
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_bytes(orjson.dumps(bill, option=orjson.OPT_INDENT_2))
    print(f"{len(bill['components'])} components in {chosen.output}")
    return 1 if weak or (unknown and chosen.strict) else 0


def audited(tools: Path) -> tuple[list[str], int, int]:
    """Give the weaknesses in words, how many packages were not known, and how many there are."""
    command: Command = [
        *(tools / "pip-audit", "-r", ROOT / "constraints.txt", "--no-deps", "--disable-pip"),
        *("--format", "json", "--progress-spinner", "off"),
    ]
    done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
    try:
        found: list[dict[str, Any]] = orjson.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        sys.exit(f"pip-audit failed:\n{done.stderr.decode(errors='replace')[-2000:]}")
    weak = [
        f"{item['name']} {item['version']}: {weakness['id']}, "
        f"mended in {', '.join(weakness['fix_versions']) or 'no version yet'}"
        for item in found
        for weakness in item.get("vulns", ())
    ]
    return weak, sum("skip_reason" in item for item in found), len(found)


def bill_of_materials(tools: Path) -> dict[str, Any]:
    """Give the bill of what runs, checked against the schema of CycloneDX."""
    command: Command = [tools / "cyclonedx-py", "environment", sys.executable, "--pyproject",
               ROOT / "pyproject.toml", "--output-reproducible", "--of", "JSON"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=True)
    bill: dict[str, Any] = orjson.loads(done.stdout)
    wanted = {canonicalize_name(item.name) for item in packages(tuple(_distributions()))}
    kept = [item for item in bill["components"] if canonicalize_name(item["name"]) in wanted]
    missing = wanted - {canonicalize_name(item["name"]) for item in kept} - {"callboard"}
    if missing:
        sys.exit(f"Not in the bill of materials: {', '.join(sorted(missing))}")
    bill["components"] = [*kept, *vendored()]
    named = {item["bom-ref"] for item in bill["components"]} | {"root-component"}
    bill["dependencies"] = [
        {**item, "dependsOn": [ref for ref in item.get("dependsOn", ()) if ref in named]}
        for item in bill["dependencies"]
        if item["ref"] in named
    ]
    for item in bill["components"]:
        # Where a package lies on the machine that made the bill says nothing to its readers.
        references = item.get("externalReferences", ())
        item["externalReferences"] = [
            reference for reference in references if not reference["url"].startswith("file:")
        ]
    check(tools, bill)
    return bill


def check(tools: Path, bill: dict[str, Any]) -> None:
    """End with what is wrong where a bill is not as the schema of its version says."""
    script = (
        "import sys; from cyclonedx.schema import SchemaVersion; "
        "from cyclonedx.validation.json import JsonStrictValidator; "
        f"fault = JsonStrictValidator(SchemaVersion.from_version('{bill['specVersion']}'))"
        ".validate_str(sys.stdin.read()); sys.exit(str(fault) if fault else 0)"
    )
    done = subprocess.run(
        [tools / "python", "-c", script], input=orjson.dumps(bill), capture_output=True,
        timeout=SECONDS, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"The bill of materials is not valid:\n{done.stderr.decode()[-2000:]}")


def _distributions() -> list[str]:
    folders = [ROOT, *(path.parent for path in sorted(ROOT.glob("plugins/*/pyproject.toml")))]
    named = [
        re.search(r'^name = "([^"]+)"', (folder / "pyproject.toml").read_text("utf-8"), re.M)
        for folder in folders
    ]
    return [match[1] for match in named if match]


def vendored() -> list[dict[str, Any]]:
    """Give the files of others, from the tables in `vendor/README.md`."""
    found = []
    for table in sorted(
        path for part in PARTS for path in (ROOT / part).glob("**/vendor/README.md")
    ):
        for match in ROW.finditer(table.read_text("utf-8")):
            file = table.with_name(match["file"])
            purl = f"pkg:npm/{match['package']}@{match['version']}"
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            found.append({
                "type": "library", "bom-ref": purl, "purl": purl, "name": match["package"],
                "version": match["version"],
                "hashes": [{"alg": "SHA-256", "content": digest}],
            })  # fmt: skip
    return found


if __name__ == "__main__":
    sys.exit(main())
