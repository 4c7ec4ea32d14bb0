"""Makes docs/reference/contributions.md from what host and plugins of this repository add."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callboard_web.runtime import Runtime

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/reference/contributions.md"

HEAD = """# Metrics and jobs

<!-- Made by tools/contribution_reference.py from host and plugins: run `make fmt`. -->

What the host and the plugins of this repository add. `/metrics` also has the usual figures of the
process: memory, time of the processor, open files.
"""


def page() -> str:
    from callboard_web.runtime import Runtime

    plugins = ",".join(path.parent.name for path in (ROOT / "plugins").glob("*/pyproject.toml"))
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory) / "callboard.yaml"
        # The job that reads policies is there where the settings name some.
        config.write_text("access: {policies: [{path: policies/**}]}\n", "utf-8")
        runtime = Runtime.open(config, {"CALLBOARD_PLUGINS": plugins})
        try:
            runtime.upgrade()
            return "\n".join([HEAD, *_metrics(runtime), *_jobs(runtime)])
        finally:
            runtime.stop()


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"## {title}\n"
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def _metrics(runtime: "Runtime") -> Iterator[str]:
    from callboard_web.metrics import Metrics

    contributed = {
        f"callboard_{item.plugin}_{item.value.name}": (
            item.plugin, ", ".join(item.value.labels), item.value.help
        )
        for item in runtime.plugins.contributions.metrics
    }  # fmt: skip
    metrics = Metrics(runtime)
    metrics.observe({"type": "http", "method": "GET"}, 200, 0.01)
    own = {
        family.name + ("_total" if family.type == "counter" else ""): (
            "host", ", ".join(getattr(family, "_labelnames", ()) or _labels(family.samples)),
            family.documentation,
        )
        for family in metrics.registry.collect()
        if family.name.startswith("callboard_") and family.name not in contributed
    }  # fmt: skip
    rows = [(f"`{name}`", *row) for name, row in sorted((own | contributed).items())]
    yield from _table("Metrics", ("name", "from", "labels", "what it tells"), rows)


def _labels(samples: Iterable[object]) -> list[str]:
    found: dict[str, None] = {}
    for sample in samples:
        found.update(dict.fromkeys(getattr(sample, "labels", ())))
    return [name for name in found if name != "le"]


def _jobs(runtime: "Runtime") -> Iterator[str]:
    rows = sorted(
        (
            f"`{item.key}`", str(item.value.title),
            f"every {item.value.every.total_seconds():.0f} s" if item.value.every else "when asked",
            f"{item.value.timeout.total_seconds():.0f} s", str(item.value.attempts),
        )
        for item in runtime.plugins.contributions.jobs
    )  # fmt: skip
    yield from _table("Jobs", ("name", "what it does", "runs", "at most", "attempts"), rows)
