"""Creates runs in a cluster, each once however often it is asked for."""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from callboard.kubernetes import ClusterError, Written
from callboard_ci_tekton.following import PIPELINE_RUNS
from callboard_ci_tekton.runs.values import mapping, text

if TYPE_CHECKING:
    from callboard.host import Host

KEY: Final = "callboard.io/key"
STARTED_BY: Final = "callboard.io/started-by"
LONGEST_NAME: Final = 63
"""Tekton writes the name of a run into a label of its tasks: longer ones it cannot."""


def create_run(host: "Host", cluster: str, body: Mapping[str, Any], *, key: str) -> Written:
    """Create a PipelineRun and give it as it is then, with the warnings of the server.

    Its name is that of the body, or begins as its `generateName` says, and ends in what only
    `key` decides: asked again with the same key, the run that is there already is given back.
    The body names its namespace. It is annotated with who asks (`callboard.io/started-by`).
    Remote: for jobs and routes. Raises `ClusterError`; in the state `exists` where a run of this
    name has another key. `NotFoundError` for a cluster the settings do not have.
    """
    client = host.clusters.get(cluster)
    made = with_name(body, key, str(host.asker.principal))
    try:
        return client.create(PIPELINE_RUNS, made)
    except ClusterError as error:
        if error.state != "exists":
            raise
        metadata = made["metadata"]
        found = client.get(PIPELINE_RUNS, metadata["namespace"], metadata["name"])
        if text(mapping(found, "metadata", "annotations"), KEY) != metadata["annotations"][KEY]:
            raise
        return Written(found)


def with_name(body: Mapping[str, Any], key: str, starter: str) -> dict[str, Any]:
    """Give a body that `key` alone decides the name of, with its annotations."""
    metadata = dict(mapping(body, "metadata"))
    digest = hashlib.sha256(f"{metadata.get('namespace', '')}\0{key}".encode()).hexdigest()
    start = str(metadata.pop("generateName", "") or metadata.get("name") or "run")
    end = digest[:10]
    metadata["name"] = f"{start[: LONGEST_NAME - 11].rstrip('-.')}-{end}"
    notes = {STARTED_BY: starter, **mapping(metadata, "annotations"), KEY: digest}
    metadata["annotations"] = notes
    return {**body, "apiVersion": "tekton.dev/v1", "kind": "PipelineRun", "metadata": metadata}
