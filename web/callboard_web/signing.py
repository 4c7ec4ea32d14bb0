"""Signed values for browsers: HMAC with SHA-256, one key for each purpose."""

import hashlib

from itsdangerous import URLSafeSerializer, URLSafeTimedSerializer


def signer(secret: str, purpose: str) -> URLSafeSerializer:
    """Give what signs and reads values that hold for ever; `purpose` keeps kinds apart."""
    return URLSafeSerializer(secret, salt=purpose, signer_kwargs={"digest_method": hashlib.sha256})


def timed_signer(secret: str, purpose: str) -> URLSafeTimedSerializer:
    """Give what signs and reads values of which the age matters."""
    return URLSafeTimedSerializer(
        secret, salt=purpose, signer_kwargs={"digest_method": hashlib.sha256}
    )
