"""Measure the demo's main pages with Lighthouse; each of its four scores must be 95 or more.

Needs Node.js. Lighthouse itself is installed below var/, at the version written here.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "browser"))

from browsing import ARGUMENTS, chromium, demo_portal, served  # noqa: E402

VERSION: Final = "12.8.2"
FOLDER: Final = ROOT / "var" / "lighthouse"
FLOOR: Final = 95
PAGES: Final = (
    "/", "/catalog", "/catalog/default/component/order-service",
    "/catalog/default/component/order-service/docs",
)  # fmt: skip
CATEGORIES: Final = ("performance", "accessibility", "best-practices", "seo")
SECONDS: Final = 180


def installed() -> Path:
    """Give the program, installing it where it is not there."""
    program = FOLDER / "node_modules" / "lighthouse" / "cli" / "index.js"
    if not program.is_file():
        FOLDER.mkdir(parents=True, exist_ok=True)
        (FOLDER / "package.json").write_text("{}", encoding="ascii")
        subprocess.run(
            ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund",
             f"lighthouse@{VERSION}"],
            cwd=FOLDER, check=True,
        )  # fmt: skip
    return program


def measure(program: Path, url: str, report: Path) -> dict[str, int]:
    """Give the scores of a page, of 100 each, and keep the whole report."""
    flags = " ".join(["--headless=new", *ARGUMENTS])
    command = [
        "node", str(program), url, "--quiet", "--output=json", f"--output-path={report}",
        "--preset=desktop", f"--only-categories={','.join(CATEGORIES)}", f"--chrome-flags={flags}",
    ]  # fmt: skip
    environment = {**os.environ, "CHROME_PATH": chromium()}
    # Its recording of a page fails now and then (NO_NAVSTART), and it asks to be run again.
    for is_last in (False, True):
        done = subprocess.run(command, check=is_last, timeout=SECONDS, env=environment)
        if done.returncode == 0:
            break
    found = json.loads(report.read_text(encoding="utf-8"))
    for name, audit in sorted(found["audits"].items()):
        if audit["score"] is not None and audit["score"] < 0.9:
            print(f"    {name}: {audit.get('displayValue', '')} {audit['title']}")
    return {name: round(found["categories"][name]["score"] * 100) for name in CATEGORIES}


def main() -> int:
    program = installed()
    low = False
    with (
        tempfile.TemporaryDirectory(prefix="callboard-") as folder,
        demo_portal(Path(folder)) as runtime,
        served(runtime) as address,
    ):
        for number, path in enumerate(PAGES):
            scores = measure(program, address + path, FOLDER / f"report-{number}.json")
            low = low or min(scores.values()) < FLOOR
            print(path, scores, flush=True)
    return int(low)


if __name__ == "__main__":
    sys.exit(main())
