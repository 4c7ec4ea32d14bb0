// What is loading, what takes long, what failed, and what waits for the network.
"use strict";
(function () {
  const SOON = 300;
  const LONG = 5000;
  const body = document.body;
  const words = document.getElementById("states").content;
  const offline = document.getElementById("offline");
  const pieces = (name) => words.querySelector(`.state-${name}`).cloneNode(true);
  const running = new WeakMap();

  const isQuiet = (detail) => Boolean(detail.requestConfig && detail.requestConfig.headers["X-Live"])
    || Boolean(detail.target.closest("#palette, #confirm, #flash"));

  // Under 300 ms nothing moves; then old rows fade, and an empty place gets a skeleton.
  function begin(event) {
    const { target, elt } = event.detail;
    if (isQuiet(event.detail)) return;
    end(target);
    const soon = setTimeout(() => {
      target.classList.add("loading");
      target.setAttribute("aria-busy", "true");
      if (!target.children.length) target.append(pieces("skeleton"));
    }, SOON);
    const long = setTimeout(() => {
      const note = pieces("long");
      note.querySelector("button").addEventListener("click", () => htmx.trigger(elt, "htmx:abort"));
      target.prepend(note);
    }, LONG);
    running.set(target, [soon, long]);
  }

  function end(target) {
    (running.get(target) || []).forEach(clearTimeout);
    running.delete(target);
    target.classList.remove("loading");
    target.removeAttribute("aria-busy");
    target.querySelectorAll(":scope > .state-long, :scope > .state-skeleton").forEach((note) => note.remove());
  }

  // Nothing came at all: what was there stays, and says why it is not newer.
  function failed(event) {
    const { target, requestConfig } = event.detail;
    if (isQuiet(event.detail)) return;
    target.querySelectorAll(":scope > .state-failed").forEach((note) => note.remove());
    const note = pieces("failed");
    const again = note.querySelector("button");
    again.hidden = requestConfig.verb !== "get";
    again.addEventListener("click", () => {
      note.remove();
      htmx.ajax("GET", requestConfig.path, { target, source: requestConfig.elt });
    });
    target.prepend(note);
  }

  function network() {
    body.classList.toggle("offline", !navigator.onLine);
    offline.hidden = navigator.onLine;
  }

  body.addEventListener("htmx:beforeRequest", begin);
  body.addEventListener("htmx:afterRequest", (event) => end(event.detail.target));
  body.addEventListener("htmx:sendError", failed);
  body.addEventListener("htmx:timeout", failed);
  body.addEventListener("htmx:beforeSwap", (event) => {
    const detail = event.detail;
    if (detail.xhr.status < 400) return;
    // A page that renews itself keeps what it shows; an error has no piece to be taken out of it.
    if (isQuiet(detail) && !detail.target.closest("#palette, #confirm")) detail.shouldSwap = false;
    detail.selectOverride = "unset";
  });
  window.addEventListener("online", network);
  window.addEventListener("offline", network);
  document.addEventListener("submit", (event) => {
    if (navigator.onLine || event.target.method !== "post") return;
    event.preventDefault();
    offline.focus();
  }, true);
  network();
})();
