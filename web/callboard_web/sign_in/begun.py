"""What a sign-in is begun with."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What a sign-in was begun with; each is random and used once."""

    state: str
    nonce: str
    verifier: str
