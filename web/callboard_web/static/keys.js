// Keyboard shortcuts. Single keys can be switched off in the preferences (WCAG 2.1.4).
"use strict";
(function () {
  const help = document.getElementById("shortcuts");
  const TYPING = "input, textarea, select, [contenteditable]";
  const GO = { h: "/", c: "/catalog" };
  const WAIT = 1000;
  let pending = 0;

  function showHelp() {
    help.showModal();
    document.getElementById("shortcuts-title").focus();
  }

  function row(step) {
    const links = [...document.querySelectorAll("main tbody th a, main .rows .what > a:first-child")]
      .filter((link) => link.offsetParent);
    if (!links.length) return;
    const now = links.indexOf(document.activeElement);
    links[Math.min(Math.max(now + step, 0), links.length - 1)].focus();
  }

  function tab(step) {
    const tabs = [...document.querySelectorAll("main .tabs a")];
    const now = tabs.findIndex((link) => link.hasAttribute("aria-current"));
    const next = tabs[now + step];
    if (now >= 0 && next) next.click();
  }

  function filters() {
    const field = document.getElementById("catalog-text");
    if (field) field.focus();
  }

  const KEYS = {
    "/": () => window.callboard.openPalette(),
    "?": showHelp,
    j: () => row(1),
    k: () => row(-1),
    f: filters,
    "[": () => tab(-1),
    "]": () => tab(1),
    r: () => location.reload(),
  };

  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229 || event.defaultPrevented) return;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      window.callboard.openPalette();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || document.body.dataset.keys === "off") return;
    if (event.target.closest(TYPING) || document.querySelector("dialog[open]")) return;
    if (pending && Date.now() - pending < WAIT && GO[event.key]) {
      pending = 0;
      location.href = GO[event.key];
      return;
    }
    pending = event.key === "g" ? Date.now() : 0;
    if (KEYS[event.key]) {
      event.preventDefault();
      KEYS[event.key]();
    }
  });

  document.getElementById("shortcuts-button").addEventListener("click", showHelp);
})();
