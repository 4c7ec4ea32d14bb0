"""What `callboard doctor` looks at in signing in with providers."""

from collections.abc import Iterator

from callboard.doctor import Check, Finding
from callboard.errors import CallboardError, reason_of
from callboard_web.runtime import Runtime
from callboard_web.sign_in.client import OpenIdClient
from callboard_web.sign_in.faults import SignInFailedError
from callboard_web.sign_in.service import SignIn
from callboard_web.sign_in.settings import LOOPBACK, ProviderSettings, SignInSettings


def provider_checks(runtime: Runtime) -> list[Check]:
    """Look at the address of the portal, and ask each provider what it says about itself."""
    providers = runtime.settings.section(SignInSettings).providers
    return [
        Check("Sign-in", lambda: _address(runtime)),
        *(
            Check(f"Provider {item.name}", lambda item=item: _provider(runtime, item))  # type: ignore[misc]
            for item in providers
        ),
    ]


def _address(runtime: Runtime) -> Iterator[Finding]:
    portal = runtime.portal
    step = "Set portal.base_url to the https address that people use."
    if not portal.base_url and portal.host not in LOOPBACK:
        detail = "Providers send people back to an address that the portal does not know."
        yield Finding("bad", "Sign-in needs portal.base_url.", detail, step)
    elif portal.base_url.startswith("http:"):
        detail = f"portal.base_url is {portal.base_url}: sessions are given out over https only."
        yield Finding("bad", "Sign-in needs https.", detail, step)
    else:
        base = portal.base_url or f"http://{portal.listen}"
        names = [item.name for item in runtime.settings.section(SignInSettings).providers]
        detail = ", ".join(f"{base}/sign-in/callback/{name}" for name in names)
        yield Finding("ok", "Sign-in: the addresses for answers are known.", detail)


def _provider(runtime: Runtime, provider: ProviderSettings) -> Iterator[Finding]:
    sign_in = SignIn(runtime.services)
    try:
        client = sign_in.client(provider)
        if not isinstance(client, OpenIdClient):
            yield Finding("ok", f"Provider {provider.name}: {client.issuer}, not asked.")
            return
        found = client.discovery.endpoints()
    except SignInFailedError as error:
        step = "Compare sign_in.providers with what the provider is set up for."
        detail = f"{error.message} {error.detail}"
        yield Finding("bad", f"Provider {provider.name} cannot be used.", detail, step)
    except CallboardError as error:
        yield Finding("bad", f"Provider {provider.name} cannot be used.", str(reason_of(error)))
    else:
        logout = "with" if found.end_session else "without"
        yield Finding(
            "ok", f"Provider {provider.name} answers.", f"{found.issuer}, {logout} sign-out there"
        )
    finally:
        sign_in.close()
