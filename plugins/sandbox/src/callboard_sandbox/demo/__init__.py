"""The sandbox's part of `callboard demo`: a cluster with pipelines and a history of runs."""

from callboard_sandbox.demo.part import prepare

__all__ = ["prepare"]
