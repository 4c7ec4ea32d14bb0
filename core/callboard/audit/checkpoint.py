"""Checkpoints: where the chain was at a time, to be kept elsewhere; signed with Ed25519."""

import base64
import binascii
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
import rfc8785

from callboard.audit.seal import Head
from callboard.errors import InputError, SettingsError, reason_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

FORMAT: Final = "callboard-audit-checkpoint/1"
LARGEST: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A place in the chain. `count` are the entries kept up to it, `at` the time in UTC (RFC 3339).

    `signature` is over the canonical JSON (RFC 8785) of all else, in base64; empty without a key.
    """

    chain: str
    position: int
    hash: str
    count: int
    at: str
    portal: str = ""
    format: str = FORMAT
    signature: str = ""

    def signed_bytes(self) -> bytes:
        """Give what the signature is made over."""
        return rfc8785.dumps({k: v for k, v in asdict(self).items() if k != "signature"})

    def written(self) -> bytes:
        """Give the checkpoint as a file."""
        return orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def make_checkpoint(
    head: Head, at: str, portal: str, key: "Ed25519PrivateKey | None"
) -> Checkpoint:
    """Give the checkpoint of a head, signed where there is a key."""
    fields: dict[str, Any] = {
        "chain": head.chain,
        "position": head.position,
        "hash": head.hash,
        "count": head.position - head.horizon_position,
        "at": at,
        "portal": portal,
    }
    signature = key.sign(Checkpoint(**fields).signed_bytes()) if key else b""
    return Checkpoint(**fields, signature=base64.b64encode(signature).decode())


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint from a file; raises `InputError` for what is none."""
    try:
        with path.open("rb") as file:
            values = orjson.loads(file.read(LARGEST))
        checkpoint = Checkpoint(**values)
        bytes.fromhex(checkpoint.hash)
        is_one = checkpoint.format == FORMAT and type(checkpoint.position) is int
    except OSError as error:
        raise InputError(f"The checkpoint {path} cannot be read: {reason_of(error)}.") from error
    except (TypeError, ValueError):
        is_one = False
    if not is_one:
        raise InputError(
            f"{path} is not a checkpoint of an audit log.",
            hint="Expected a file that callboard audit checkpoint has written.",
        )
    return checkpoint


def check_signature(checkpoint: Checkpoint, key: "Ed25519PublicKey") -> None:
    """Raise `InputError` unless the checkpoint was signed with this key's other half."""
    from cryptography.exceptions import InvalidSignature

    try:
        if not checkpoint.signature:
            raise InputError("The checkpoint is not signed.", hint="Leave out the public key.")
        signature = base64.b64decode(checkpoint.signature, validate=True)
        key.verify(signature, checkpoint.signed_bytes())
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise InputError(
            "The signature of the checkpoint is wrong: it was changed, or signed with another key.",
            hint="Compare with the copy that was kept elsewhere, and check which key is given.",
        ) from error


# Keys: PEM files, PKCS 8 and SubjectPublicKeyInfo (RFC 8410)


def make_keys(path: Path) -> Path:
    """Write a new private key, for the owner alone, and its public half beside it; give that.

    Raises `InputError` where one of the files is there already or cannot be written.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    beside = path.with_name(f"{path.name}.pub")
    try:
        _write_new(path, private, 0o600)
        _write_new(beside, public, 0o644)
    except OSError as error:
        raise InputError(
            f"The key cannot be written to {error.filename}: {reason_of(error)}.",
            hint="Name a file that is not there yet, in a folder of your own.",
        ) from error
    return beside


def _write_new(path: Path, content: bytes, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)


def private_key(path: Path) -> "Ed25519PrivateKey":
    """Read the key that signs; raises `SettingsError`."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise _no_key(path, reason_of(error) if isinstance(error, OSError) else "") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(path)
    return key


def public_key(path: Path) -> "Ed25519PublicKey":
    """Read the key that checks signatures; raises `SettingsError`."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, TypeError) as error:
        raise _no_key(path, reason_of(error) if isinstance(error, OSError) else "") from error
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key(path)
    return key


def _no_key(path: Path, reason: object = "") -> SettingsError:
    return SettingsError(
        f"{path} is no Ed25519 key in PEM form" + (f": {reason}." if reason else "."),
        hint="callboard audit key makes a pair of keys.",
    )
