"""Rules that every template keeps."""

import re
from pathlib import Path

import pytest

import callboard_web

DIRECTORY = Path(callboard_web.__file__).parent / "templates"
TEMPLATES = sorted(DIRECTORY.rglob("*.html"))
NOT_WORDS = {"YAML", "JSON", "Esc", "Ctrl", "Tab", "callboard", "demo"}

JINJA = re.compile(r"\{%-?\s*trans\b.*?endtrans\s*-?%\}|\{[%{#].*?[%}#]\}", re.DOTALL)
SAMPLE = re.compile(r"<pre class=\"sample\b.*?</pre>", re.DOTALL)
TEXT_ATTRIBUTE = re.compile(r"\b(?:aria-label|title|placeholder|alt)=\"([^\"]*)\"")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_inline_script_or_style(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"\sstyle=", text)
    assert not re.search(r"<style", text)
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)
    assert not re.search(r"\son[a-z]+=|hx-on|javascript:", text)
    assert not re.search(r"(?:href|src|action)=\"(?:https?:)?//", text)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_only_constants_are_marked_safe(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("|safe") - text.count("|safe_url") == len(
        re.findall(r"' [^'{}]+'\|safe", text)
    )
    assert "autoescape" not in text


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_every_text_can_be_translated(path: Path) -> None:
    plain = JINJA.sub(" ", SAMPLE.sub(" ", path.read_text(encoding="utf-8")))
    texts = [*TEXT_ATTRIBUTE.findall(plain), re.sub(r"<[^>]*>", " ", plain)]
    words = {word for text in texts for word in re.findall(r"[A-Za-z]{2,}", text)}
    assert words - NOT_WORDS == set()


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_forms_that_change_something_have_a_token(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for form in re.findall(r"<form[^>]*method=\"post\".*?</form>", text, re.DOTALL):
        assert 'value="{{ csrf_token }}"' in form
