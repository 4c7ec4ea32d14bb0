"""Clusters: named in the settings, watched into tables, acted in through the official client.

Importing this loads no Kubernetes client; it is loaded by the first request.
"""

from callboard.kubernetes.cluster import (
    Cluster,
    Clusters,
    ClusterState,
    LogLine,
    LogQuery,
    LogStream,
    Question,
)
from callboard.kubernetes.failures import Cause, ClusterError, FailureState
from callboard.kubernetes.model import Resource, Verb, WatchEvent, Written
from callboard.kubernetes.secrets import named_secrets, without_secrets

__all__ = [
    "Cause",
    "Cluster",
    "ClusterError",
    "ClusterState",
    "Clusters",
    "FailureState",
    "LogLine",
    "LogQuery",
    "LogStream",
    "Question",
    "Resource",
    "Verb",
    "WatchEvent",
    "Written",
    "named_secrets",
    "without_secrets",
]
