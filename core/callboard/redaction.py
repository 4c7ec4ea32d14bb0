"""Hides secrets in texts before a person or a log sees them."""

import base64
import logging
import re
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import quote

MASK: Final = "***"
LONGEST_KEY: Final = 400
"""Lines that a private key may have: one that has no end does not hide all that follows it."""
SHORTEST_LINE: Final = 8
"""Characters of a line that is hidden as a part of a secret of several lines."""

_KEY_BEGINS: Final = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----")
_KEY_ENDS: Final = re.compile(r"-----END [A-Z ]{0,40}-----")

_SENSITIVE_NAME: Final = (
    r"(?:[\w-]*(?:password|passwd|passphrase|secret|token|api[-_]?key|access[-_]?key|private[-_]?key"
    r"|credential|signature)|pwd|sig)"
)

_PATTERNS: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), replacement)
    for pattern, replacement in (
        (r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}-----|\Z)", MASK),
        # User information of a URL; the user `git` of SSH addresses is no secret.
        (r"(\b[a-z][a-z0-9+.-]{0,30}://)(?!git@)[^/\s?#'\"<>]{1,2000}@", rf"\1{MASK}@"),
        (
            (
                r"(\b(?:proxy-)?authorization\b['\"]?\s*[:=,]\s*(?:b?['\"])?)"
                r"(?:(?:basic|bearer|token|digest|negotiate)\s+)?[^\s'\",;]+"
            ),
            rf"\1{MASK}",
        ),
        (r"(\b(?:set-)?cookie\b['\"]?\s*[:,]\s*(?:b?['\"])?)[^\r\n'\"]+", rf"\1{MASK}"),
        (r"\b(bearer\s+)[\w.~+/-]{8,}=*", rf"\1{MASK}"),
        (
            rf"((?<![\w-]){_SENSITIVE_NAME}['\"]?\s*[:=,]\s*(?:b?['\"])?)(?!\s)[^\s&'\"#;,)]+",
            rf"\1{MASK}",
        ),
    )
) + tuple(
    (re.compile(pattern), MASK)
    for pattern in (
        (
            r"\b(?:gh[opusr]_|github_pat_|glpat-|gl(?:dt|rt|ptt|cbt)-|cbd_|npm_|dckr_pat_|hf_|pypi-)"
            r"[A-Za-z0-9_\-.]{6,}"
        ),
        r"\bxox[abeprs]-[A-Za-z0-9-]{6,}",
        r"\b(?:AKIA|ASIA)[0-9A-Z]{12,}",
        r"\bAIza[0-9A-Za-z_-]{20,}",
        r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)?",
    )
)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Give the text with every secret replaced by `***`.

    Hidden are the given `secrets` (also percent-encoded and in base64) and whatever looks like
    one: user information in URLs, authorization and cookie headers, `password=` and its kin in
    queries and JSON, private keys, and tokens with a well-known prefix.
    """
    return _hidden(text, _forms_of(secrets))


def _hidden(text: str, forms: Iterable[str]) -> str:
    for form in forms:
        text = text.replace(form, MASK)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def _forms_of(secrets: Iterable[str]) -> list[str]:
    """Give the forms in which secrets may stand, the longest first."""
    forms = {form for secret in secrets for form in _forms(secret)}
    return sorted(forms, key=len, reverse=True)


class LineRedactor:
    """Hides secrets in the lines of one text, which come bit by bit; each stays one line.

    What goes over several lines is hidden in each of them: private keys, and those of the given
    `secrets` that have several lines.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms = _forms_of(part for secret in secrets for part in _lines_of(secret))
        self._left = 0

    def hide(self, lines: Sequence[str]) -> list[str]:
        """Give the next lines of the text without secrets."""
        whole = "\n".join(lines)
        if not self._left and _hidden(whole, self._forms) == whole:
            return list(lines)
        return [self._line(line) for line in lines]

    def _line(self, line: str) -> str:
        if self._left:
            end = _KEY_ENDS.search(line)
            self._left = 0 if end else self._left - 1
            if end is None:
                return MASK
            return MASK + self._line(line[end.end() :])
        begins = [found.end() for found in _KEY_BEGINS.finditer(line)]
        if begins and not _KEY_ENDS.search(line, begins[-1]):
            self._left = LONGEST_KEY
        return _hidden(line, self._forms)


def _lines_of(secret: str) -> list[str]:
    """Give a secret, or its lines where it has several; short ones are no secrets."""
    lines = secret.strip().splitlines()
    return [secret] if len(lines) < 2 else [line for line in lines if len(line) >= SHORTEST_LINE]


def _forms(secret: str) -> set[str]:
    if not secret:
        return set()
    encoded = base64.b64encode(secret.encode()).decode()
    return {secret, quote(secret), quote(secret, safe=""), encoded}


class RedactingFilter(logging.Filter):
    """A logging filter that redacts message and traceback; it drops no record.

    Add it to handlers: a filter of a logger does not see the records of that logger's children.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._secrets = tuple(secrets)

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the record in place and keep it."""
        record.msg = redact(record.getMessage(), self._secrets)
        record.args = None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text, self._secrets)
        return True
