// The shell: drawer, menus, copy buttons, time zone, and what htmx needs to be told.
"use strict";
(function () {
  const root = document.documentElement;
  const body = document.body;

  // The time zone is the one thing only the browser knows; the next page is drawn in it. Asking for
  // its name loads all that a browser knows of languages, so it is asked only where hours differ.
  const year = new Date().getFullYear();
  const offsets = [0, 6].map((month) => -new Date(year, month, 1, 12).getTimezoneOffset()).join();
  if (body.dataset.offsets && body.dataset.offsets !== offsets) {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const secure = location.protocol === "https:" ? "; Secure" : "";
    if (zone) document.cookie = `callboard_zone=${zone}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
  }

  const button = document.getElementById("menu-button");
  const side = document.getElementById("side");

  function drawer(open) {
    root.dataset.nav = open ? "open" : "";
    button.setAttribute("aria-expanded", String(open));
    if (open) side.querySelector(".nav a").focus();
    else if (side.contains(document.activeElement)) button.focus();
  }

  button.addEventListener("click", (event) => {
    event.preventDefault();
    drawer(root.dataset.nav !== "open");
  });
  button.addEventListener("keydown", (event) => {
    if (event.key === " ") { event.preventDefault(); drawer(root.dataset.nav !== "open"); }
  });

  document.addEventListener("click", (event) => {
    if (root.dataset.nav === "open" && !event.target.closest("#side, #menu-button")) drawer(false);
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
    const copy = event.target.closest("[data-copy]");
    if (copy) navigator.clipboard.writeText(copy.dataset.copy).then(() => say(copy.dataset.copied || copy.dataset.copy));
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    if (root.dataset.nav === "open") drawer(false);
    const menu = document.querySelector("details.menu[open]");
    if (menu) { menu.open = false; menu.querySelector("summary").focus(); }
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
  });

  function say(text) {
    document.getElementById("say").textContent = text;
  }

  function ready(part) {
    for (const element of part.querySelectorAll("[data-copy][hidden]")) {
      element.hidden = !navigator.clipboard;
    }
  }

  ready(document);
  document.getElementById("shortcuts-button").hidden = false;
  body.addEventListener("say", (event) => say(event.detail.value));
  body.addEventListener("htmx:afterSwap", () => {
    ready(document);
    const list = document.getElementById("list");
    if (list && document.activeElement === body) list.focus({ preventScroll: true });
  });
})();
