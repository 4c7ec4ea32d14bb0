"""What was worked out of one generation of the catalog, until the next one comes."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sized
from typing import Any, Final, TypeVar, cast

T = TypeVar("T")
MOST: Final = 1_000
"""Answers that are kept; one is a set of rows, or a key's values with theirs."""


class Known:
    """Answers, those that were asked for last."""

    def __init__(self) -> None:
        self._answers: OrderedDict[Any, Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Any, make: Callable[[], T], most: int | None = None) -> T:
        """Give an answer, worked out where it is not known; two may do so at the same time.

        One with more than `most` parts is not kept.
        """
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
                answer: T = self._answers[key]
                return answer
        answer = make()
        if most is not None and len(cast("Sized", answer)) > most:
            return answer
        with self._lock:
            self._answers[key] = answer
            while len(self._answers) > MOST:
                self._answers.popitem(last=False)
        return answer
