"""Git repositories read at a commit, without a work tree, and written by commits of whole files.

The `git` program is run through GitPython. Whatever a repository or its address holds can neither
run code here nor read the host: see `callboard.git.environment` and `callboard.git.address`.
"""

from callboard.git.remote import NoReferenceError
from callboard.git.repository import GitRepository
from callboard.git.values import (
    Author,
    Commit,
    Contributor,
    Credentials,
    Reference,
    TreeFile,
)

__all__ = [
    "Author",
    "Commit",
    "Contributor",
    "Credentials",
    "GitRepository",
    "NoReferenceError",
    "Reference",
    "TreeFile",
]
