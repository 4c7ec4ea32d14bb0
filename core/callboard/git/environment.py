"""The closed world git runs in: no configuration, hook, helper or credential of this machine.

Settings travel in the environment (`GIT_CONFIG_COUNT`, git-config(1)), where they outrank every
file and where, unlike on a command line, other users of the machine cannot read a token.
"""

import base64
import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from callboard.errors import InputError
from callboard.git.address import Address
from callboard.git.values import Credentials
from callboard.i18n import Translator

_ = Translator("callboard")

_INHERITED: Final = frozenset(
    {"PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"}
)
_PROXIES: Final = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy"})

_ENVIRONMENT: Final[Mapping[str, str]] = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "false",
    "SSH_ASKPASS": "false",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    # libcurl would read ~/.netrc.
    "HOME": "/nonexistent",
}

_CONFIG: Final[Mapping[str, str]] = {
    "core.hooksPath": os.devnull,
    "core.attributesFile": os.devnull,
    "core.excludesFile": os.devnull,
    "core.fsmonitor": "false",
    "core.askPass": "false",
    "core.quotePath": "false",
    # Larger blobs are streamed: neither packed as deltas nor held in memory whole.
    "core.bigFileThreshold": "16m",
    "credential.helper": "",
    "init.templateDir": "",
    "init.defaultBranch": "main",
    "commit.gpgSign": "false",
    "push.gpgSign": "false",
    "log.showSignature": "false",
    "i18n.logOutputEncoding": "UTF-8",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "fetch.unpackLimit": "1",
    "fetch.writeCommitGraph": "false",
    "transfer.bundleURI": "false",
    "maintenance.auto": "false",
    "gc.autoDetach": "false",
    "protocol.version": "2",
    "protocol.allow": "never",
    "http.sslVerify": "true",
    "http.lowSpeedLimit": "100",
}

# A local repository's own hooks would run with this process's rights when it is pushed to.
_LOCAL_OPTIONS: Final = (
    "-c core.hooksPath=/dev/null -c core.fsmonitor=false -c core.alternateRefsCommand=true "
    "-c receive.autogc=false"
)
LOCAL_UPLOAD_PACK: Final = f"--upload-pack=git {_LOCAL_OPTIONS} upload-pack"
LOCAL_RECEIVE_PACK: Final = f"--receive-pack=git {_LOCAL_OPTIONS} receive-pack"


def inherited(name: str) -> bool:
    """Whether git is given this variable of our own environment."""
    return name in _INHERITED or name.lower() in _PROXIES


def base_environment() -> dict[str, str]:
    """Give the variables every git process runs with."""
    return dict(_ENVIRONMENT)


def base_config() -> dict[str, str]:
    """Give the configuration every git process runs with."""
    return dict(_CONFIG)


def config_environment(config: Mapping[str, str]) -> dict[str, str]:
    """Give the variables that hand a configuration to git."""
    variables = {"GIT_CONFIG_COUNT": str(len(config))}
    for number, (key, value) in enumerate(config.items()):
        variables[f"GIT_CONFIG_KEY_{number}"] = key
        variables[f"GIT_CONFIG_VALUE_{number}"] = value
    return variables


def remote_config(
    address: Address,
    credentials: Credentials,
    *,
    timeout: float,
    ca_bundle: Path | None,
    proxy: str | None,
) -> dict[str, str]:
    """Give the configuration for talking to one remote.

    Raises `InputError` for credentials that do not fit into a header.
    """
    config = {
        f"protocol.{address.scheme}.allow": "always",
        "http.lowSpeedTime": str(max(1, int(timeout))),
        "http.followRedirects": "initial",
    }
    if ca_bundle is not None:
        config["http.sslCAInfo"] = str(ca_bundle)
    if proxy is not None:
        config["http.proxy"] = proxy
    if header := authorization(address, credentials):
        config["http.extraHeader"] = f"Authorization: {header}"
        # git would send the header to the host it is redirected to.
        config["http.followRedirects"] = "false"
    return config


def authorization(address: Address, credentials: Credentials) -> str:
    """Give the header of that name for an http or https address, empty where there is none.

    Raises `InputError` for credentials that do not fit into a header.
    """
    if address.scheme not in ("http", "https") or not credentials.password:
        return ""
    return f"Basic {_basic(credentials)}"


def _basic(credentials: Credentials) -> str:
    pair = f"{credentials.username or 'git'}:{credentials.password}"
    if re.search(r"[\x00-\x1f\x7f]", pair) or ":" in credentials.username:
        raise InputError(
            _("The Git credentials hold a line break or another character no header can hold."),
            hint=_("Check the secret they are read from for a trailing line break."),
        )
    return base64.b64encode(pair.encode()).decode()


def remote_environment(
    address: Address, credentials: Credentials, *, timeout: float
) -> dict[str, str]:
    """Give the variables for talking to one remote: only its own protocol, a closed SSH client."""
    return {
        "GIT_ALLOW_PROTOCOL": address.scheme,
        "GIT_SSH_VARIANT": "ssh",
        "GIT_SSH_COMMAND": _ssh_command(credentials, timeout),
    }


def _ssh_command(credentials: Credentials, timeout: float) -> str:
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "ConnectTimeout": str(max(1, int(timeout))),
        "ServerAliveInterval": "10",
        "ServerAliveCountMax": "3",
        "ForwardAgent": "no",
        "IdentityAgent": "none",
        "IdentitiesOnly": "yes",
        "PermitLocalCommand": "no",
        "PubkeyAuthentication": "yes" if credentials.ssh_key else "no",
    }
    if credentials.ssh_key:
        options["IdentityFile"] = _ssh_path(credentials.ssh_key)
    if credentials.known_hosts:
        options["UserKnownHostsFile"] = _ssh_path(credentials.known_hosts)
        options["GlobalKnownHostsFile"] = os.devnull
    words = ["ssh", "-F", "none"]
    for key, value in options.items():
        words += ["-o", f"{key}={value}"]
    return shlex.join(words)


def _ssh_path(path: Path) -> str:
    text = str(path)
    if re.search(r"[\x00-\x1f\x7f\"\\]", text):
        raise InputError(
            _("The path %(path)s of an SSH file holds characters ssh misreads.", path=repr(text))
        )
    return '"' + text.replace("%", "%%") + '"'
