"""Take pictures of every page of the demo: both languages, both themes, wide and narrow.

python tools/take_screens.py                      into var/screens
python tools/take_screens.py --only '^/catalog'   of some pages
"""

import argparse
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path
from queue import Empty, Queue
from typing import Final

from playwright.sync_api import sync_playwright

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "browser"))

from browsing import (  # noqa: E402
    Visit,
    demo_portal,
    paths_of,
    served,
    start_browser,
    visiting,
)
from failing import PATHS, failing_portal  # noqa: E402

from callboard_web.runtime import Runtime  # noqa: E402
from callboard_web.testing import portal_under_test  # noqa: E402

LANGUAGES: Final = ("en", "zh-CN")
THEMES: Final = ("light", "dark")
WIDTHS: Final = (1440, 390)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--into", type=Path, default=ROOT / "var" / "screens")
    parser.add_argument(
        "--only", type=re.compile, default=re.compile(""), help="a pattern of paths"
    )
    parser.add_argument("--languages", nargs="+", choices=LANGUAGES, default=LANGUAGES)
    parser.add_argument("--themes", nargs="+", choices=THEMES, default=THEMES)
    parser.add_argument("--widths", nargs="+", type=int, default=WIDTHS)
    parser.add_argument("--workers", type=int, default=2)
    return parser.parse_args()


def name_of(path: str) -> str:
    """Give a file name that tells the page."""
    return re.sub(r"[^\w.=-]+", "-", path).strip("-")[:80] or "home"


@contextmanager
def portals(folder: Path, chosen: argparse.Namespace) -> Iterator[list[tuple[str, str, str]]]:
    """Give what to take as name, address of the portal and path.

    The portals are the demo, an empty one, and one in which plugins fail.
    """
    with ExitStack() as stack:
        demo: Runtime = stack.enter_context(demo_portal(folder / "demo"))
        clock = demo.clock
        empty = stack.enter_context(
            portal_under_test(folder / "none", plugins=None, settings={}, clock=clock, templates={})
        )
        full = stack.enter_context(served(demo))
        bare = stack.enter_context(served(empty.runtime))
        found = [(name_of(path), full, path) for path in paths_of(demo)]
        nothing = paths_of(empty.runtime, states=False)
        found += [(f"empty-{name_of(path)}", bare, path) for path in nothing]
        failing = stack.enter_context(served(stack.enter_context(failing_portal(folder / "fail"))))
        found += [(f"failed-{name_of(path)}", failing, path) for path in PATHS]
        yield [item for item in found if chosen.only.search(item[2])]


def take(work: "Queue[tuple[tuple[str, str, str], str, str, int]]", into: Path) -> None:
    """Take pictures until there is nothing left to take."""
    with sync_playwright() as playwright:
        browser = start_browser(playwright)
        while True:
            try:
                (name, address, path), language, theme, width = work.get_nowait()
            except Empty:
                break
            cookies = {"language": language, "theme": theme, "zone": "Asia/Shanghai"}
            view = {"width": width, "height": 900}
            with visiting(browser, address, viewport=view, cookies=cookies) as visit:
                _take_one(visit, path, into / f"{name}.{language}.{theme}.{width}.png")
        browser.close()


def _take_one(visit: Visit, path: str, file: Path) -> None:
    visit.page.goto(path)
    visit.page.screenshot(path=file, full_page=True, animations="disabled")
    for fault in visit.faults:
        print(f"{file.name}: {fault}", file=sys.stderr)


def main() -> None:
    chosen = arguments()
    chosen.into.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="callboard-") as folder,
        portals(Path(folder), chosen) as found,
    ):
        work: Queue[tuple[tuple[str, str, str], str, str, int]] = Queue()
        for item in product(found, chosen.languages, chosen.themes, chosen.widths):
            work.put(item)
        total = work.qsize()
        takers = [
            threading.Thread(target=take, args=(work, chosen.into)) for _ in range(chosen.workers)
        ]
        for taker in takers:
            taker.start()
        for taker in takers:
            taker.join()
    print(f"{total} pictures are in {chosen.into}.")


if __name__ == "__main__":
    main()
