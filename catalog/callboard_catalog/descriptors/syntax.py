"""Says in words what libyaml has against a document, and what may be meant."""

from typing import Final

from yaml.error import MarkedYAMLError
from yaml.reader import ReaderError

from callboard.i18n import Message, Text, Translator
from callboard_catalog.descriptors.builder import DocumentError

_ = Translator("callboard")

CANNOT_START: Final = "found character that cannot start any token"
BAD_TAB: Final = "found a tab character that violates indentation"

_CHARACTER_HINTS: Final = {
    BAD_TAB: _("indent with spaces"),
    "\t": _("a tab stands where a value begins; indent with spaces"),
    "%": _("% begins no value; this looks like an unfilled template"),
    "@": _("put quotes around a value that begins with @"),
    "`": _("put quotes around a value that begins with `"),
}
_HINTS: Final = {
    "mapping values are not allowed": _("put quotes around a value that holds ': '"),
    "could not find expected ':'": _("check the indentation and the ':' of the line above"),
    "found undefined tag handle": _("put quotes around a value that begins with !"),
    "did not find expected key": _("check the indentation of this line"),
    "did not find expected '-' indicator": _("check the indentation of this line"),
    "found unexpected end of stream": _("a quote or a bracket is not closed"),
    "found unknown escape character": _("write \\\\ for a backslash, or use single quotes"),
}


def _by_text(*messages: Message) -> dict[str, Message]:
    return {message.text: message for message in messages}


# What libyaml says (scanner.c, parser.c, reader.c), so that it can be said in other languages.
_PROBLEMS: Final = _by_text(
    _("block sequence entries are not allowed in this context"),
    _("control characters are not allowed"),
    _("could not find expected ':'"),
    _("could not find expected directive name"),
    _("did not find URI escaped octet"),
    _("did not find expected '!'"),
    _("did not find expected ',' or ']'"),
    _("did not find expected ',' or '}'"),
    _("did not find expected '-' indicator"),
    _("did not find expected <document start>"),
    _("did not find expected <stream-start>"),
    _("did not find expected alphabetic or numeric character"),
    _("did not find expected comment or line break"),
    _("did not find expected digit or '.' character"),
    _("did not find expected hexdecimal number"),
    _("did not find expected key"),
    _("did not find expected node content"),
    _("did not find expected tag URI"),
    _("did not find expected version number"),
    _("did not find expected whitespace"),
    _("did not find expected whitespace or line break"),
    _("did not find the expected '>'"),
    _("found a tab character that violates indentation"),
    _("found a tab character where an indentation space is expected"),
    _("found an incorrect leading UTF-8 octet"),
    _("found an incorrect trailing UTF-8 octet"),
    _("found an indentation indicator equal to 0"),
    _("found character that cannot start any token"),
    _("found duplicate %TAG directive"),
    _("found duplicate %YAML directive"),
    _("found extremely long version number"),
    _("found incompatible YAML document"),
    _("found invalid Unicode character escape code"),
    _("found undefined tag handle"),
    _("found unexpected ':'"),
    _("found unexpected document indicator"),
    _("found unexpected end of stream"),
    _("found unexpected non-alphabetical character"),
    _("found unknown directive name"),
    _("found unknown escape character"),
    _("incomplete UTF-16 character"),
    _("incomplete UTF-16 surrogate pair"),
    _("incomplete UTF-8 octet sequence"),
    _("input is too long"),
    _("invalid Unicode character"),
    _("invalid leading UTF-8 octet"),
    _("invalid length of a UTF-8 sequence"),
    _("invalid trailing UTF-8 octet"),
    _("mapping keys are not allowed in this context"),
    _("mapping values are not allowed in this context"),
    _("unexpected low surrogate area"),
)
_CONTEXTS: Final = _by_text(
    _("while parsing a %TAG directive"),
    _("while parsing a block collection"),
    _("while parsing a block mapping"),
    _("while parsing a block node"),
    _("while parsing a flow mapping"),
    _("while parsing a flow node"),
    _("while parsing a flow sequence"),
    _("while parsing a node"),
    _("while parsing a quoted scalar"),
    _("while parsing a tag"),
    _("while scanning a %TAG directive"),
    _("while scanning a %YAML directive"),
    _("while scanning a block scalar"),
    _("while scanning a directive"),
    _("while scanning a plain scalar"),
    _("while scanning a quoted scalar"),
    _("while scanning a simple key"),
    _("while scanning a tag"),
    _("while scanning an alias"),
    _("while scanning an anchor"),
    _("while scanning for the next token"),
)


def document_error(error: Exception, data: bytes) -> DocumentError:
    """Give the error of a document whose bytes libyaml refused."""
    try:
        text = data.decode()
    except UnicodeDecodeError as decoding:
        line = data.count(b"\n", 0, decoding.start)
        return DocumentError("not-utf8", _("the document is not UTF-8; save it as UTF-8"), line)
    if isinstance(error, ReaderError):
        line = data[: error.position].count(b"\n")
        reason = _PROBLEMS.get(error.reason, error.reason)
        return DocumentError("yaml-error", _("%(problem)s in YAML", problem=reason), line)
    if isinstance(error, MarkedYAMLError):
        return _marked_error(error, text)
    return DocumentError("yaml-error", _("the YAML cannot be read"), 0)


def _marked_error(error: MarkedYAMLError, text: str) -> DocumentError:
    mark, context = error.problem_mark, error.context_mark
    line = mark.line if mark else 0
    said = error.problem or ""
    hint: Text
    if mark and said == CANNOT_START:
        character = text[mark.index : mark.index + 1]
        cannot = _("%(character)s cannot begin a value", character=repr(character))
        hint = _CHARACTER_HINTS.get(character, cannot)
    else:
        hint = next((hint for start, hint in _HINTS.items() if said.startswith(start)), "")
    problem: Text = _PROBLEMS.get(said, said) or _("the YAML cannot be read")
    if context and error.context and context.line != line:
        # libyaml sees what is missing only where the text goes on; what was open says more.
        problem = _(
            "%(problem)s %(context)s that begins %(number)s line(s) above",
            problem=problem,
            context=_CONTEXTS.get(error.context, error.context),
            number=line - context.line,
        )
    if hint:
        problem = _("%(problem)s; %(hint)s", problem=problem, hint=hint)
    return DocumentError("yaml-error", problem, line)
