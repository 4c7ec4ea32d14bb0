"""Requests to other hosts: bounded in time, size and number, and to allowed places only."""

from callboard.http.budget import HostBudget
from callboard.http.client import HttpClient
from callboard.http.response import Response, TooLargeError

__all__ = ["HostBudget", "HttpClient", "Response", "TooLargeError"]
