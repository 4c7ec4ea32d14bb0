"""Encrypts what a provider gave: a copy of the database alone signs nobody in elsewhere."""

import base64
from functools import cached_property
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

_PURPOSE: Final = b"callboard sessions: tokens of providers"


class Seal:
    """Encrypts and decrypts with a key made of the portal's cookie secret (Fernet, RFC 5869)."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    @cached_property
    def _fernet(self) -> "Fernet":
        # Imported here: a portal without providers has nothing to seal, and it is much to load.
        from cryptography.fernet import Fernet
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        derived = HKDF(SHA256(), 32, None, _PURPOSE).derive(self._secret.encode())
        return Fernet(base64.urlsafe_b64encode(derived))

    def close(self, text: str) -> str:
        """Encrypt a text; an empty one stays empty."""
        return self._fernet.encrypt(text.encode()).decode() if text else ""

    def open(self, sealed: str) -> str:
        """Decrypt a text; empty where the cookie secret was changed since."""
        if not sealed:
            return ""
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            return ""
