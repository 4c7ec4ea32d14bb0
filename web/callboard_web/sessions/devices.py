"""What a browser says of itself, in the words of people."""

import re
from typing import Final

from callboard.i18n import Text, Translator

_: Final = Translator("callboard")

# The first that fits: browsers name those that they are made from as well.
_BROWSERS: Final = (
    ("Edge", r"\bEdgA?/"),
    ("Opera", r"\bOPR/"),
    ("Firefox", r"\bFirefox/|\bFxiOS/"),
    ("WeCom", r"\bwxwork/"),
    ("WeChat", r"\bMicroMessenger/"),
    ("DingTalk", r"\bDingTalk"),
    ("Feishu", r"\b(Lark|Feishu)"),
    ("Chrome", r"Chrom(e|ium)/|\bCriOS/"),
    ("Safari", r"\bSafari/"),
    ("curl", r"^curl/"),
)
_SYSTEMS: Final = (
    ("iPhone", r"\biPhone\b"),
    ("iPad", r"\biPad\b"),
    ("HarmonyOS", r"\bHarmonyOS\b|\bOpenHarmony\b"),
    ("Android", r"\bAndroid\b"),
    ("Windows", r"\bWindows\b"),
    ("macOS", r"\bMacintosh\b|\bMac OS X\b"),
    ("ChromeOS", r"\bCrOS\b"),
    ("Linux", r"\bLinux\b"),
)


def device_of(agent: str) -> Text:
    """Give words for a `User-Agent`, such as `Firefox on Windows`."""
    browser = _first(_BROWSERS, agent)
    system = _first(_SYSTEMS, agent)
    if browser and system:
        return _("%(browser)s on %(system)s", browser=browser, system=system)
    return browser or system or _("An unknown browser")


def _first(names: tuple[tuple[str, str], ...], agent: str) -> str:
    return next((name for name, pattern in names if re.search(pattern, agent)), "")
