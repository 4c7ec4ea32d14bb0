"""What steps usually do in a build: durations, log lines and results that fit together.

The kind of a step is told from its image, script and names. Commit ids, digests and numbers are
drawn from the parameters, so the same build gives the same image.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from callboard_sandbox.controllers.names import digest, fraction
from callboard_sandbox.controllers.plan import Step

Json = dict[str, Any]
Lines = list[str]

_NAME_LABELS: Final = ("backstage.io/kubernetes-id", "app.kubernetes.io/name")
_GREEN: Final = "\x1b[32m"
_RED: Final = "\x1b[31m"
_YELLOW: Final = "\x1b[33m"
_BLUE: Final = "\x1b[34m"
_BOLD: Final = "\x1b[1m"
_PLAIN: Final = "\x1b[0m"


def usual_course(step: Step, results: Mapping[str, Any], seed: int) -> Json:
    """Give `seconds`, `log` and `results` of a step; `results` are values for all it declares."""
    facts = Facts(step, seed)
    length, write = next(
        ((length, write) for words, length, write in _KINDS if facts.mentions(*words)),
        (4.0, _plain),
    )
    known = facts.results()
    return {
        "seconds": round(length * (0.7 + 0.6 * facts.chance("seconds")), 1),
        "log": write(facts),
        "results": {name: known.get(name, value) for name, value in results.items()},
    }


class Facts:
    """What lines and results of one run are drawn from."""

    def __init__(self, step: Step, seed: int) -> None:
        self.step = step
        self._seed = seed
        self.url: str = self.param("url", "repo-url", "git-url", "repo")
        self.image: str = self.param("IMAGE", "image", "image-url")
        self.name = self._name()
        self.revision: str = self.param("revision", "git-revision", default="main")
        looks_like_commit = len(self.revision) == 40
        self.commit: str = (
            self.revision if looks_like_commit else digest(self.url, step.run, length=40)
        )

    def _name(self) -> str:
        labelled = (self.step.labels.get(label) for label in _NAME_LABELS)
        repository = self.url.rstrip("/").removesuffix(".git").rpartition("/")[2]
        image = self.image.rpartition("/")[2].partition(":")[0]
        return next((n for n in (*labelled, repository, image) if n), "service")

    def param(self, *names: str, default: str = "") -> str:
        found = (self.step.params.get(name) for name in names)
        return next((str(value) for value in found if value), default)

    def mentions(self, *words: str) -> bool:
        step = self.step
        text = f"{step.task} {step.name} {step.image} {step.script}".lower()
        return any(word in text for word in words)

    def chance(self, *about: object) -> float:
        return fraction(self._seed, self.step.run, self.step.task, self.step.name, *about)

    def number(self, low: int, high: int, *about: object) -> int:
        return low + int(self.chance(*about) * (high - low + 1))

    @property
    def digest(self) -> str:
        """The digest of the image that is built: it follows from its name and commit."""
        return self.param("DIGEST", "digest") or f"sha256:{digest(self.image, self.step.run)}"

    @property
    def tests(self) -> int:
        return 60 + int(fraction(self.url, self.step.run) * 30) + len(self.name) * 4

    @property
    def chart_version(self) -> str:
        return f"1.{len(self.name) % 7}.{int(fraction(self.step.run) * 40)}"

    def results(self) -> Json:
        """Give values for results with the usual names."""
        low = self.number(1, 14, "low")
        counts = {"critical": 0, "high": 0, "medium": self.number(0, 6, "medium"), "low": low}
        return {
            "commit": self.commit,
            "url": self.url,
            "CHAINS-GIT_URL": self.url,
            "CHAINS-GIT_COMMIT": self.commit,
            "branch": "" if self.revision == self.commit else self.revision,
            "TAG": self.param("tag", "commit", default=self.commit),
            "committer-date": str(1_795_000_000 + int(self.chance("date") * 100_000)),
            "TESTS_TOTAL": str(self.tests),
            "TESTS_FAILED": "0",
            "COVERAGE": f"{70 + 20 * self.chance('coverage'):.1f}",
            "IMAGE_URL": self.image,
            "IMAGE_DIGEST": self.digest,
            "SCAN_OUTPUT": json.dumps({"vulnerabilities": counts}, separators=(",", ":")),
            "SCAN_PASSED": "true",
            "REPORT": f"{self.digest.replace(':', '-')}.json",
            "CHART_VERSION": self.chart_version,
            "CHART_DIGEST": f"sha256:{digest(self.name, self.chart_version)}",
            "CHART_URL": f"oci://registry.example.test/charts/{self.name}:{self.chart_version}",
            "CHANGE": {
                "file": f"environments/{self.param('environment', default='dev')}"
                f"/{self.name}/values.yaml",
                "from": f"sha256:{digest(self.name, 'before')}",
                "to": self.digest,
            },
        }


def _clone(facts: Facts) -> Lines:
    objects = facts.number(240, 1900, "objects")
    return [
        f"+ git fetch --depth 1 {facts.url} {facts.revision}",
        f"From {facts.url}",
        f"remote: Enumerating objects: {objects}, done.",
        f"remote: Counting objects: 100% ({objects}/{objects}), done.",
        f"remote: Compressing objects: 100% ({objects * 2 // 3}/{objects * 2 // 3}), done.",
        f"Receiving objects: 100% ({objects}/{objects}), {objects / 310:.2f} MiB | 8 MiB/s, done.",
        f"HEAD is now at {facts.commit[:7]}",
        f"commit {facts.commit}",
    ]


def _maven(facts: Facts) -> Lines:
    info = f"[{_BOLD}{_BLUE}INFO{_PLAIN}]"
    total, lines = facts.tests, []
    left = total
    for number, part in enumerate(("api", "domain", "store", "web")):
        count = left if part == "web" else total // 4
        left -= count
        seconds = 0.2 + 2 * facts.chance("part", number)
        name = f"{facts.name.replace('-', '')}.{part}.{part.title()}Test"
        good = f"Tests run: {count}, Failures: 0, Errors: 0, Skipped: 0"
        lines.append(f"{info} Running com.example.{name}")
        lines.append(f"{info} {good}, Time elapsed: {seconds:.3f} s -- in com.example.{name}")
    return [
        f"{info} Scanning for projects...",
        f"{info} ----------------------< com.example:{facts.name} >----------------------",
        f"{info} Building {facts.name} {facts.chart_version}-SNAPSHOT",
        f"{info} --- compiler:3.14.0:compile (default-compile) @ {facts.name} ---",
        f"{info} Compiling {facts.number(40, 190, 'files')} source files with javac [release 21]",
        f"[{_BOLD}{_YELLOW}WARNING{_PLAIN}] Some input files use unchecked or unsafe operations.",
        f"{info} --- surefire:3.5.3:test (default-test) @ {facts.name} ---",
        *lines,
        f"{info} Tests run: {total}, Failures: 0, Errors: 0, Skipped: 0",
        f"{info} {_BOLD}{_GREEN}BUILD SUCCESS{_PLAIN}",
        f"{info} Finished at: {{now}}",
    ]


def _go_test(facts: Facts) -> Lines:
    lines = [
        f"ok  \t{facts.name}/{part}\t{0.1 + facts.chance(part):.3f}s\tcoverage: "
        f"{65 + 30 * facts.chance(part, 'cover'):.1f}% of statements"
        for part in ("api", "cache", "domain", "events", "store")
    ]
    return [
        "+ go test -race -cover ./...",
        f"?   \t{facts.name}/cmd\t[no test files]",
        *lines,
        f"{_GREEN}PASS{_PLAIN} {facts.tests} tests",
    ]


def _go_download(facts: Facts) -> Lines:
    modules = (
        "golang.org/x/net v0.41.0",
        "golang.org/x/sync v0.15.0",
        "google.golang.org/grpc v1.73.0",
    )
    return ["+ go mod download", *(f"go: downloading {module}" for module in modules)]


def _npm(facts: Facts) -> Lines:
    count = facts.number(500, 1400, "packages")
    suites = facts.number(8, 30, "suites")
    return [
        "+ npm ci && npm test -- --ci",
        f"added {count} packages, and audited {count + 1} packages in 14s",
        f"{_BOLD}found 0 vulnerabilities{_PLAIN}",
        f"> {facts.name}@{facts.chart_version} test",
        f"{_GREEN}PASS{_PLAIN} src/components/Table.test.tsx",
        f"{_GREEN}PASS{_PLAIN} src/pages/Orders.test.tsx",
        f"{_GREEN}PASS{_PLAIN} src/api/client.test.ts",
        f"{_BOLD}Test Suites:{_PLAIN} {_GREEN}{suites} passed{_PLAIN}, {suites} total",
        f"{_BOLD}Tests:{_PLAIN}       {_GREEN}{facts.tests} passed{_PLAIN}, {facts.tests} total",
    ]


def _pytest(facts: Facts) -> Lines:
    took = f"{3 + 9 * facts.chance('time'):.2f}s"
    return [
        "============================= test session starts ==============================",
        "platform linux -- Python 3.13.5, pytest-8.4.1, pluggy-1.6.0",
        f"collected {facts.tests} items",
        "tests/test_api.py ......................                                 [ 38%]",
        "tests/test_rules.py ..................                                   [ 70%]",
        "tests/test_store.py ................                                     [100%]",
        f"{_GREEN}================ {_BOLD}{facts.tests} passed in {took} ================{_PLAIN}",
    ]


def _lint(facts: Facts) -> Lines:
    return [
        f'level=info msg="[config_reader] Used config file .{facts.step.name}.yml"',
        f'level=info msg="[lintersdb] Active {facts.number(28, 46, "linters")} linters"',
        f'level=info msg="[runner] Issues before processing: {facts.number(9, 60, "i")}"',
        f'level=info msg="Execution took {1 + 4 * facts.chance("took"):.3f}s"',
        f"{_GREEN}0 issues.{_PLAIN}",
    ]


def _kaniko(facts: Facts) -> Lines:
    base = "registry.example.test/base/jre:21-openeuler"
    cache = f"{facts.image.partition(':')[0]}/cache:{digest(facts.name, length=12)}"
    prefix = f"{_GREEN}INFO{_PLAIN}"
    said = (
        f"Retrieving image manifest {base}",
        f"Returning cached image manifest {base}",
        "Built cross stage deps: map[0:[/src/app]]",
        f"Executing 0 build triggers for {base}",
        f"Checking for cached layer {cache}...",
        "Using caching version of cmd: RUN dnf install -y ca-certificates tzdata",
        "COPY --from=build /src/app /app",
        "Taking snapshot of files...",
        'ENTRYPOINT ["/app"]',
        "No files changed in this command, skipping snapshotting.",
        f"Pushing image to {facts.image}",
        f"Pushed {facts.image.partition(':')[0]}@{facts.digest}",
    )
    return [f"{prefix}[{number * 3:04d}] {text}" for number, text in enumerate(said)]


def _buildkit(facts: Facts) -> Lines:
    base = "registry.example.test/base/jre:21-openeuler"
    name = facts.image.partition("@")[0]
    said = (
        "[internal] load build definition from Dockerfile",
        f"[internal] load metadata for {base}",
        "[internal] load build context",
        f"[1/3] FROM {base}",
        "[2/3] RUN dnf install -y ca-certificates tzdata",
        "[3/3] COPY --from=build /src/app /app",
        "exporting to image",
        f"pushing layers for {name}",
        f"pushing manifest for {name}@{facts.digest}",
    )
    lines = []
    for number, text in enumerate(said, 1):
        lines += [f"#{number} {text}", f"#{number} DONE {4 * facts.chance(text):.1f}s"]
    return lines


def _trivy(facts: Facts) -> Lines:
    image = facts.image or facts.name
    medium, low = facts.number(0, 6, "medium"), facts.number(1, 14, "low")
    return [
        "{now}\tINFO\t[vulndb] Need to update DB",
        "{now}\tINFO\t[vulndb] Downloading vulnerability DB...",
        "{now}\tINFO\t[vuln] Vulnerability scanning is enabled",
        '{now}\tINFO\tDetected OS\tfamily="openEuler" version="24.03"',
        f"{{now}}\tINFO\tDetecting vulnerabilities...\tpkg_num={facts.number(90, 180, 'p')}",
        "",
        f"{image} (openEuler 24.03)",
        f"Total: {medium + low} (LOW: {low}, MEDIUM: {medium}, HIGH: 0, CRITICAL: 0)",
    ]


def _sbom(facts: Facts) -> Lines:
    return [
        f"{{now}}\tINFO\tFull bill of materials of {facts.image or facts.name}",
        f"{{now}}\tINFO\tWrote sbom.cdx.json\tcomponents={facts.number(120, 420, 'components')}",
    ]


def _helm_package(facts: Facts) -> Lines:
    archive = f"{facts.name}-{facts.chart_version}.tgz"
    return [
        "==> Linting chart",
        "[INFO] Chart.yaml: icon is recommended",
        "1 chart(s) linted, 0 chart(s) failed",
        f"Successfully packaged chart and saved it to: /workspace/source/{archive}",
    ]


def _helm_push(facts: Facts) -> Lines:
    return [
        f"Pushed: registry.example.test/charts/{facts.name}:{facts.chart_version}",
        f"Digest: sha256:{digest(facts.name, facts.chart_version)}",
    ]


def _git_push(facts: Facts) -> Lines:
    change = facts.results()["CHANGE"]
    commit = digest(facts.step.run, "change", length=7)
    return [
        "Cloning into '/tmp/environments'...",
        f"- digest: {change['from'][:19]}…",
        f"+ digest: {change['to'][:19]}…",
        f"[main {commit}] deliver: {facts.name} {change['to'][7:19]}",
        " 1 file changed, 1 insertion(+), 1 deletion(-)",
        "To https://git.example.test/platform/environments.git",
        f"   {digest(facts.name, length=7)}..{commit}  main -> main",
    ]


def _notify(facts: Facts) -> Lines:
    status = facts.param("status", default="Succeeded")
    colour = _RED if status == "Failed" else _GREEN
    return [
        f"{{clock}} run {facts.param('run', default=facts.step.run)}: {colour}{status}{_PLAIN}",
        "{clock} POST https://chat.example.test/hooks/builds",
        "{clock} 200 OK, message sent",
    ]


def _plain(facts: Facts) -> Lines:
    return [f"{{clock}} {facts.step.name}: started", f"{{clock}} {facts.step.name}: done"]


_KINDS: Final[tuple[tuple[tuple[str, ...], float, Callable[[Facts], Lines]], ...]] = (
    (("git push", "update-manifest"), 5.0, _git_push),
    (("git-clone", "git clone", "git fetch"), 5.0, _clone),
    (("helm push",), 3.0, _helm_push),
    (("helm package", "helm lint"), 4.0, _helm_package),
    (("golangci", "eslint", "ruff", "checkstyle", "lint"), 11.0, _lint),
    (("kaniko/executor", "kaniko:"), 28.0, _kaniko),
    (("buildctl",), 26.0, _buildkit),
    (("cyclonedx", "sbom"), 3.0, _sbom),
    (("trivy",), 12.0, _trivy),
    (("helm push",), 3.0, _helm_push),
    (("helm package", "helm lint"), 4.0, _helm_package),
    (("notify", "curl"), 2.0, _notify),
    (("go mod download",), 4.0, _go_download),
    (("go test",), 16.0, _go_test),
    (("mvn", "maven"), 24.0, _maven),
    (("npm", "node:"), 20.0, _npm),
    (("pytest",), 14.0, _pytest),
)
