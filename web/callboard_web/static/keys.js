// Keyboard shortcuts. Single keys can be switched off in the preferences (WCAG 2.1.4). None of
// them sends a form: what a key reaches is opened, focused or checked.
//
// A page adds its own by data-shortcut="e" on a link, a field or a button that sends nothing.
"use strict";
(function () {
  const help = document.getElementById("shortcuts");
  const TYPING = "input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]";
  const FILTER = "#catalog-text, main form[role=search] input, main input[type=search]";
  const ROWS = "main tbody th a, main .rows .what > a:first-child";
  const WAIT = 1000;
  let pending = 0;

  const visible = (element) => element.offsetParent !== null;
  const all = (selector) => [...document.querySelectorAll(selector)].filter(visible);
  const isOn = () => document.body.dataset.keys !== "off";

  function showHelp() {
    const here = document.getElementById("shortcuts-here");
    const own = all("main [data-shortcut]");
    here.hidden = !own.length;
    here.querySelector("dl").replaceChildren(...own.flatMap(described));
    document.getElementById("shortcuts-off").hidden = isOn();
    help.showModal();
    help.querySelector(".shortcuts-body").focus();
  }

  function described(element) {
    const key = Object.assign(document.createElement("span"), { className: "kbd" });
    key.textContent = element.dataset.shortcut;
    const term = document.createElement("dt");
    term.append(key);
    const words = document.createElement("dd");
    const label = element.labels && element.labels[0];
    words.textContent = element.ariaLabel || element.title || (label || element).textContent.trim();
    return [term, words];
  }

  function use(element) {
    element.focus();
    if (element.matches("a, summary, button[type=button], input[type=checkbox]")) element.click();
  }

  function row(step) {
    const links = all(ROWS);
    if (!links.length) return;
    const line = document.activeElement.closest("tr, li");
    const now = links.findIndex((link) => link === document.activeElement || (line && line.contains(link)));
    links[Math.min(Math.max(now + step, 0), links.length - 1)].focus();
  }

  function select() {
    const line = document.activeElement.closest("main tr, main li");
    const box = line && line.querySelector("input[type=checkbox]:not([disabled])");
    if (box) box.click();
  }

  function tab(step) {
    const tabs = all("main .tabs a");
    const now = tabs.findIndex((link) => link.hasAttribute("aria-current"));
    const next = tabs[now + step];
    if (now >= 0 && next) next.click();
  }

  function filters() {
    const [field] = all(FILTER);
    const [opener] = all("main .facets-open");
    if (field) field.focus();
    else if (opener) opener.click();
  }

  const KEYS = {
    "/": () => window.callboard.openPalette(),
    "?": showHelp,
    j: () => row(1),
    k: () => row(-1),
    x: select,
    f: filters,
    "[": () => tab(-1),
    "]": () => tab(1),
    r: () => location.reload(),
  };

  function actionOf(key) {
    const go = pending && Date.now() - pending < WAIT;
    pending = 0;
    if (go) {
      const link = document.querySelector(`.nav [data-go="${CSS.escape(key)}"]`);
      return link ? () => link.click() : null;
    }
    const own = document.querySelector(`main [data-shortcut="${CSS.escape(key)}"]`);
    if (own) return () => use(own);
    if (key === "g") pending = Date.now();
    return KEYS[key];
  }

  // A long table is one stop of the Tab key: the arrows move in it. Each row's own controls follow.
  // A row that no arrow reaches, because it leads nowhere, keeps its controls in the order of Tab.
  const LONG = 12;

  function rove() {
    for (const body of document.querySelectorAll("main .tbl tbody")) {
      const lines = [...body.rows].filter((line) => line.querySelector("th a"));
      if (lines.length < LONG) continue;
      const chosen = lines.find((line) => line.contains(document.activeElement))
        || lines.find((line) => line.classList.contains("roving")) || lines[0];
      for (const line of lines) {
        line.classList.toggle("roving", line === chosen);
        for (const item of line.querySelectorAll("a[href], button, input")) {
          if (line === chosen) item.removeAttribute("tabindex");
          else item.tabIndex = -1;
        }
      }
    }
  }

  function arrow(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity };
    const leaves = event.key === "ArrowDown" && event.target.matches(FILTER) && !event.target.list;
    if (!(leaves || (event.key in steps && event.target.matches(ROWS)))) return false;
    event.preventDefault();
    row(steps[event.key]);
    return true;
  }

  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229 || event.defaultPrevented) return;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      window.callboard.openPalette();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const typing = event.target.closest(TYPING);
    if (typing && event.key === "Escape" && !typing.value) typing.blur();
    if (arrow(event) || typing || !isOn()) return;
    const action = actionOf(event.key);
    if (action) {
      event.preventDefault();
      action();
    }
  });

  document.addEventListener("focusin", (event) => {
    const line = event.target.closest("main .tbl tbody tr");
    if (line && !line.classList.contains("roving")) rove();
  });
  document.body.addEventListener("htmx:afterSettle", rove);
  document.getElementById("shortcuts-button").addEventListener("click", showHelp);
  rove();
})();
