// Forms: a button that is pressed says so and sends once; what destroys is asked about first.
"use strict";
(function () {
  const dialog = document.getElementById("confirm");
  const words = new WeakMap();

  function busy(form, button) {
    form.dataset.sent = "1";
    if (!button || !button.dataset.busy) return;
    words.set(button, [...button.childNodes]);
    button.textContent = button.dataset.busy;
    button.setAttribute("aria-busy", "true");
  }

  function rest(form) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("[data-busy][aria-busy]")) {
      button.replaceChildren(...words.get(button));
      button.removeAttribute("aria-busy");
    }
  }

  // The server words the question: without script it is a page, here it is a dialog.
  function ask(form, button) {
    const values = {};
    new FormData(form).forEach((value, name) => { values[name] = (values[name] || []).concat(value); });
    if (button && button.name) values[button.name] = button.value;
    const place = { target: "#confirm", swap: "innerHTML", values, source: dialog };
    htmx.ajax("POST", form.getAttribute("action"), place).then(() => {
      rest(form);
      if (!dialog.textContent.trim()) return;
      dialog.showModal();
      const title = document.getElementById("confirm-title");
      if (title) title.focus();
    });
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post") return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    busy(form, event.submitter);
    if (form.hasAttribute("data-confirm")) {
      event.preventDefault();
      ask(form, event.submitter);
    }
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
    const dismiss = event.target.closest("[data-dismiss]");
    if (dismiss) dismiss.closest(".toast").remove();
  });
  dialog.addEventListener("close", () => dialog.replaceChildren());

  // A page that comes back from the browser's memory, or an answer in place, ends the waiting.
  window.addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach(rest));
  document.body.addEventListener("htmx:afterRequest", (event) => {
    const form = event.detail.elt.closest("form");
    if (form) rest(form);
  });

  // What a screen reader finds on a new page is not an event to it: it is said a moment later.
  function tell() {
    for (const button of document.querySelectorAll("[data-dismiss]")) button.hidden = false;
    const flash = document.getElementById("flash-text");
    if (flash) setTimeout(() => { document.getElementById("say").textContent = flash.textContent; }, 300);
  }
  document.body.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id === "flash") tell();
    const errors = event.target.querySelector ? event.target.querySelector("#form-errors") : null;
    if (errors) errors.focus();
  });
  tell();
  const errors = document.getElementById("form-errors");
  if (errors) errors.focus();
})();
