"""Imports Huey without the driver of PostgreSQL until that is needed.

Huey loads the driver wherever it is installed: 9 MB and a tenth of a second at every start, which a
portal on SQLite has no use for. Import this module before anything of Huey.
"""

import sys

if "psycopg" not in sys.modules:
    sys.modules["psycopg"] = None  # type: ignore[assignment]
    try:
        import huey.storage
    finally:
        del sys.modules["psycopg"]
else:
    import huey.storage


def use_postgresql() -> None:
    """Give Huey the driver."""
    import psycopg

    huey.storage.psycopg = psycopg
