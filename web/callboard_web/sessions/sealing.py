"""Encrypts what a provider gave: a copy of the database alone signs nobody in elsewhere."""

import base64
from typing import Final

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_PURPOSE: Final = b"callboard sessions: tokens of providers"


class Seal:
    """Encrypts and decrypts with a key made of the portal's cookie secret (Fernet, RFC 5869)."""

    def __init__(self, secret: str) -> None:
        derived = HKDF(SHA256(), 32, None, _PURPOSE).derive(secret.encode())
        self._fernet = Fernet(base64.urlsafe_b64encode(derived))

    def close(self, text: str) -> str:
        """Encrypt a text; an empty one stays empty."""
        return self._fernet.encrypt(text.encode()).decode() if text else ""

    def open(self, sealed: str) -> str:
        """Decrypt a text; empty where the cookie secret was changed since."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode() if sealed else ""
        except InvalidToken:
            return ""
