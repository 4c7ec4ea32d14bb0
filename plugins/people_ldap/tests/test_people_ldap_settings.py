"""Settings, distinguished names and filters."""

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from callboard_people_ldap.client import Entry
from callboard_people_ldap.distinguished import escaped, first_part, same_form
from callboard_people_ldap.reading import id_of
from callboard_people_ldap.settings import PeopleLdapSettings, ServerSettings

USERS = {"base": "ou=people,dc=example,dc=com"}


def made(**more: Any) -> ServerSettings:
    given = {"name": "company", "url": "ldaps://ldap.example.com", "users": USERS, **more}
    return ServerSettings.model_validate(given)


def test_passwords_travel_encrypted_unless_told_otherwise() -> None:
    account = {"bind_dn": "cn=reader", "password": "x"}
    assert made(**account).port == 636
    assert made(url="ldap://ldap.example.com:3890", start_tls=True, **account).port == 3890
    assert made(url="ldap://[::1]", **account).hostname == "::1"
    assert made(url="ldap://ldap.example.com", plain=True).port == 389
    with pytest.raises(ValidationError, match="sends the password unencrypted"):
        made(url="ldap://ldap.example.com", **account)


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "https://ldap.example.com"},
        {"url": "ldaps://user:x@ldap.example.com"},
        {"url": "ldaps://ldap.example.com/dc=example"},
        {"url": "ldaps://"},
        {"start_tls": True},
        {"bind_dn": "cn=reader"},
        {"password": "x"},
        {"users": {**USERS, "filter": "uid=x"}},
        {"users": {**USERS, "filter": "(uid=x"}},
        {"users": {**USERS, "filter": "(uid=x)(uid=y)"}},
        {"users": {**USERS, "map": {"name": "uid)(x"}}},
        {"namespace": "No"},
        {"maximum_loss": 1.1},
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        made(**wrong)


def test_each_server_has_a_name_of_its_own() -> None:
    server = {"name": "one", "url": "ldaps://ldap.example.com", "users": USERS}
    with pytest.raises(ValidationError, match="different name"):
        PeopleLdapSettings.model_validate({"servers": [server, server]})


def test_values_in_filters_are_escaped() -> None:
    users = {**USERS, "of_groups": ["cn=(a)*\\,dc=x", "cn=b"]}
    assert made(users=users).users.written == (
        "(&(objectClass=inetOrgPerson)(|(memberOf=cn=\\28a\\29\\2a\\5c,dc=x)(memberOf=cn=b)))"
    )


@given(st.text())
def test_an_escaped_value_has_no_sign_of_a_filter(text: str) -> None:
    found = escaped(text)
    assert not set("()*\0") & set(found)
    back = found
    for code, letter in (("28", "("), ("29", ")"), ("2a", "*"), ("00", "\0"), ("5c", "\\")):
        back = back.replace(f"\\{code}", letter)
    assert back == text or "\\" in text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("uid=ada,ou=people,dc=x", "UID=Ada, OU=People , DC=X"),
        ("cn=a\\,b,dc=x", "cn=a\\2Cb,dc=x"),
        ("cn=林,dc=x", "cn=\\e6\\9e\\97,dc=x"),
        ("cn=two  words,dc=x", "cn=two words,dc=x"),
    ],
)
def test_the_same_name_written_differently(one: str, other: str) -> None:
    assert same_form(one) == same_form(other)


def test_escaped_commas_do_not_divide() -> None:
    assert same_form("cn=a\\,b,dc=x") != same_form("cn=a,b,dc=x")
    assert first_part("cn=a\\,b,dc=x") == "cn=a\\,b"


@given(st.text(), st.text())
def test_any_text_has_a_form(one: str, other: str) -> None:
    assert (same_form(one) == same_form(other)) or one != other
    first_part(one)


def test_ids_of_active_directory_are_read() -> None:
    raw = bytes.fromhex("33221100554477668899aabbccddeeff")
    found = id_of(Entry("cn=x", {"objectguid": (raw,)}), "objectGUID")
    assert found == "00112233-4455-6677-8899-aabbccddeeff"
    assert len(id_of(Entry("cn=" + "x" * 300, {}), "entryUUID")) == 64


SCRIPT = """
import json, sys
import callboard_people_ldap as plugin
for name, hook in list(vars(plugin).items()):
    if getattr(hook, "callboard_impl", None):
        hook()
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_the_hooks_load_no_ldap() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True
    )
    assert not {"ldap3", "pyasn1", "fastapi"} & set(json.loads(done.stdout))
