"""What importing the plugin costs."""

import json
import subprocess
import sys

SCRIPT = """
import json, sys
before = set(sys.modules)
import callboard_apis as plugin
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
for name, hook in list(vars(plugin).items()):
    if getattr(hook, "callboard_impl", None):
        hook()
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_importing_loads_nothing_heavy_and_the_hooks_no_parser_of_graphql() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True
    )
    imported, hooked = (set(json.loads(line)) for line in done.stdout.splitlines())
    heavy = {"alembic", "fastapi", "graphql", "jinja2", "markdown_it", "pydantic", "sqlalchemy"}
    assert not imported & heavy
    assert not hooked & {"fastapi", "graphql", "httpx", "jinja2", "markdown_it", "nh3"}
