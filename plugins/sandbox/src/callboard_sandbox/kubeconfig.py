"""The kubeconfig of a sandbox: one context for each role of its tokens."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from callboard_sandbox.api.access import ROLES, write_privately

CURRENT = "portal"
"""The role of the context that is used unless another one is named."""


def write_kubeconfig(path: Path, address: str, tokens: Mapping[str, str]) -> None:
    """Write it with its tokens, for its owner only."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CURRENT,
        "clusters": [{"name": "sandbox", "cluster": {"server": address}}],
        "users": [{"name": role, "user": {"token": tokens[role]}} for role in ROLES],
        "contexts": [
            {"name": role, "context": {"cluster": "sandbox", "user": role}} for role in ROLES
        ],
    }
    write_privately(path, yaml.safe_dump(document, sort_keys=False).encode())
