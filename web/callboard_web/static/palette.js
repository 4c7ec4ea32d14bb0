// The command palette: results as one types, chosen with the arrow keys, also with an input method.
"use strict";
(function () {
  const dialog = document.getElementById("palette");
  const field = document.getElementById("palette-text");
  const results = document.getElementById("palette-results");
  const DELAY = 120;
  let timer = 0;

  function open(text) {
    if (dialog.open) return;
    dialog.showModal();
    if (text !== undefined) field.value = text;
    field.select();
    if (field.value) ask();
  }

  function ask() {
    clearTimeout(timer);
    timer = setTimeout(() => htmx.trigger(field, "ask"), DELAY);
  }

  // While an input method composes the text is not what is meant yet.
  field.addEventListener("input", (event) => { if (!event.isComposing) ask(); });
  field.addEventListener("compositionend", ask);

  function options() {
    return [...results.querySelectorAll("[role=option]")];
  }

  function choose(step) {
    const all = options();
    if (!all.length) return;
    const now = all.findIndex((option) => option.getAttribute("aria-selected") === "true");
    const next = (now + step + all.length) % all.length;
    all.forEach((option, index) => option.setAttribute("aria-selected", String(index === next)));
    all[next].scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", all[next].id);
  }

  field.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Escape") {
      event.preventDefault(); // a search field would only be cleared
      dialog.close();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      choose(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
      const chosen = results.querySelector("[aria-selected=true] a");
      if (chosen) { event.preventDefault(); chosen.click(); }
    } else if (event.key === "Enter") {
      event.preventDefault();
      field.form.requestSubmit();
    }
  });

  results.addEventListener("htmx:afterSwap", () => {
    const first = options()[0];
    if (first) field.setAttribute("aria-activedescendant", first.id);
    else field.removeAttribute("aria-activedescendant");
  });

  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  document.getElementById("find").addEventListener("click", (event) => {
    event.preventDefault();
    open(document.getElementById("find-text").value);
  });
  document.getElementById("find-button").addEventListener("click", (event) => {
    event.preventDefault();
    open();
  });

  window.callboard = Object.assign(window.callboard || {}, { openPalette: open });
})();
