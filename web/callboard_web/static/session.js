// Warns two minutes before the session ends, and lets it be kept; other tabs may have kept it.
"use strict";
(function () {
  const place = document.getElementById("session-end");
  if (!place) return;
  const WARN = 120;
  const SLACK = 60;
  const notes = ["warn", "limit", "over"].map((name) => document.getElementById(`session-${name}`));
  const [warn, limit, over] = notes;
  let timer = 0;
  let before = null;

  function show(note) {
    if (note && place.hidden) before = document.activeElement;
    place.hidden = !note;
    for (const each of notes) each.hidden = each !== note;
  }

  function later(seconds) {
    clearTimeout(timer);
    timer = setTimeout(look, Math.min(Math.max(seconds, 1), 86400) * 1000);
  }

  function take({ left, most }) {
    if (left <= 0) {
      show(over);
      later(30); // signed in again in another tab: then the note goes
    } else if (left <= WARN) {
      const last = most <= left + 1;
      show(last ? limit : warn);
      later(Math.min(left + 1, 30));
    } else {
      show(null);
      later(left - WARN);
    }
  }

  function ask(method) {
    const token = JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRF-Token"];
    return fetch("/me/session", { method, headers: { "X-CSRF-Token": token }, cache: "no-store" })
      .then((answer) => (answer.ok ? answer.json() : Promise.reject(answer)))
      .then(take)
      .catch(() => later(30));
  }

  function look() { ask("GET"); }

  document.getElementById("session-stay").addEventListener("click", () => {
    ask("POST").then(() => { if (before) before.focus(); });
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden && !place.hidden) look(); });
  later(Number(place.dataset.idle) - WARN - SLACK);
})();
