"""The official client, made from the settings of a cluster: kubeconfig, in the cluster, address."""

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from callboard.errors import reason_of
from callboard.i18n import Text, Translator
from callboard.kubernetes.failures import ClusterError, hint_of, message_of
from callboard.kubernetes.settings import ClusterSettings

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, Configuration

_ = Translator("callboard")

TOKEN_SECONDS: Final = 60.0
"""How old a token that was read from a file may be; those of pods are renewed by the hour."""

_importing: Final = threading.Lock()
"""The library's modules import each other as they are used: two threads that begin fail."""


def make_client(settings: ClusterSettings) -> "ApiClient":
    """Read the files that the settings name, and make a client of them.

    Raises `ClusterError` in the state `misconfigured` where a file cannot be used.
    """
    with _importing:
        from kubernetes.client import ApiClient, Configuration
        from kubernetes.config.config_exception import ConfigException
        from yaml import YAMLError

    configuration = Configuration()
    try:
        _fill(configuration, settings)
    except OSError as error:
        raise misconfigured(settings.name, _unreadable(error)) from error
    except (
        ConfigException,
        YAMLError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
    ) as error:
        # The library looks at little of what a kubeconfig holds before it uses it.
        raise misconfigured(settings.name, " ".join(str(error).split())[:300]) from error
    if settings.proxy is not None:
        configuration.proxy, configuration.no_proxy = settings.proxy, ""
    configuration.retries = False
    configuration.keep_alive = True
    configuration.connection_pool_maxsize = settings.connections
    try:
        return ApiClient(configuration)
    except OSError as error:
        raise misconfigured(settings.name, _unreadable(error)) from error


def misconfigured(cluster: str, reason: Text) -> ClusterError:
    """Make the error of settings that name what cannot be used."""
    return ClusterError(
        "misconfigured",
        _("%(message)s %(reason)s", message=message_of("misconfigured", cluster), reason=reason),
        hint=hint_of("misconfigured"),
    )


def _unreadable(error: OSError) -> Text:
    return _("%(file)s cannot be read: %(reason)s.",
             file=str(error.filename or ""), reason=reason_of(error))  # fmt: skip


def _fill(configuration: "Configuration", settings: ClusterSettings) -> None:
    from kubernetes import config

    if settings.kubeconfig is not None:
        # The library says of a file that is not there only that it is empty.
        with settings.kubeconfig.open("rb"):
            pass
        config.load_kube_config(  # type: ignore[no-untyped-call]
            str(settings.kubeconfig), settings.context or None, configuration, persist_config=False
        )
    elif settings.in_cluster:
        config.load_incluster_config(configuration)  # type: ignore[no-untyped-call]
    else:
        _by_address(configuration, settings)


def _by_address(configuration: "Configuration", settings: ClusterSettings) -> None:
    configuration.host = settings.server.rstrip("/")
    if settings.ca_file is not None:
        with settings.ca_file.open("rb"):
            pass
        configuration.ssl_ca_cert = str(settings.ca_file)
    configuration.api_key_prefix["authorization"] = "Bearer"
    if settings.token is not None:
        configuration.api_key["authorization"] = settings.token.get_secret_value()
    if settings.token_file is not None:
        _read_again(configuration, settings.token_file)


def _read_again(configuration: "Configuration", file: Path) -> None:
    """Let a token be read from its file now, and again when it is older than a minute."""
    read_at = 0.0

    def renew(target: "Configuration") -> None:
        nonlocal read_at
        if read_at and time.monotonic() - read_at < TOKEN_SECONDS:
            return
        target.api_key["authorization"] = file.read_text(encoding="utf-8").strip()
        read_at = time.monotonic()

    renew(configuration)
    configuration.refresh_api_key_hook = renew  # type: ignore[assignment]
