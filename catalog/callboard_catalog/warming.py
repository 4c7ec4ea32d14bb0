"""Works out what pages ask of a catalog as soon as it has changed, so that they need not wait."""

import logging
import threading
import time
from typing import Final

from callboard.errors import CallboardError
from callboard.events.log import TOPIC
from callboard_catalog.service import CatalogService

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 2.0
"""How often other processes' changes are looked for; those of this one wake the thread."""

REST: Final = 4
"""How much longer than it worked the thread rests, so that many changes cost a part of one CPU."""

STOP_SECONDS: Final = 5.0


class Warmer:
    """One thread between `start` and `stop`. A page that comes first does the work itself."""

    def __init__(self, catalog: CatalogService) -> None:
        self._catalog = catalog
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.known = -1
        """The generation of the catalog that was read ahead last."""

    def start(self) -> None:
        self._catalog.database.committed.listen(TOPIC, self._wake.set)
        self._thread = threading.Thread(target=self._run, name="catalog-warmer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; waits for what it works on."""
        if self._thread is None:
            return
        self._catalog.database.committed.unlisten(TOPIC, self._wake.set)
        self._stopping.set()
        self._wake.set()
        self._thread.join(STOP_SECONDS)
        self._thread = None

    def _run(self) -> None:
        while not self._stopping.is_set():
            begin = time.monotonic()
            try:
                self.warm()
            except CallboardError as error:
                log.warning("The catalog could not be read ahead: %s", error)
            except Exception:
                log.exception("The catalog could not be read ahead.")
            if not self._stopping.wait((time.monotonic() - begin) * REST):
                self._wake.wait(LOOK_SECONDS)
                self._wake.clear()

    def warm(self) -> None:
        """Do the work unless it is done for the catalog as it is."""
        catalog = self._catalog
        with catalog.snapshot():
            generation = catalog.generation()
            if generation != self.known:
                catalog.facet_index()
                catalog.problem_tally()
                catalog.sources()
                self.known = generation
