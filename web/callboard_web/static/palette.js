// The command palette: what is offered as one types, chosen with the arrow keys, also with an
// input method. The focus stays in the field; aria-activedescendant says which option is meant.
"use strict";
(function () {
  const dialog = document.getElementById("palette");
  const field = document.getElementById("palette-text");
  const results = document.getElementById("palette-results");
  const DELAY = 60;
  let timer = 0;
  let waiting = false; // what is shown is not yet the answer to what is typed
  let then = null; // what to do with the answer

  function open(text) {
    if (dialog.open) return;
    dialog.showModal();
    if (text !== undefined) field.value = text;
    field.select();
    ask();
  }

  function ask() {
    clearTimeout(timer);
    waiting = true;
    then = null;
    timer = setTimeout(() => {
      timer = 0;
      htmx.trigger(field, "ask");
    }, DELAY);
  }

  // While an input method composes the text is not what is meant yet.
  field.addEventListener("compositionstart", () => {
    clearTimeout(timer);
    timer = 0;
  });
  field.addEventListener("input", (event) => { if (!event.isComposing) ask(); });
  field.addEventListener("compositionend", ask);

  const options = () => [...results.querySelectorAll("[role=option]")];
  const chosen = () => results.querySelector("[aria-selected=true]");

  function mean(option) {
    for (const other of options()) other.setAttribute("aria-selected", String(other === option));
    if (option) field.setAttribute("aria-activedescendant", option.id);
    else field.removeAttribute("aria-activedescendant");
  }

  function step(by) {
    const all = options();
    if (!all.length) return;
    const next = all[(all.indexOf(chosen()) + by + all.length) % all.length];
    mean(next);
    // The heading of the first group is seen too.
    if (next === all[0]) results.scrollTop = 0;
    else next.scrollIntoView({ block: "nearest" });
  }

  function complete(option) {
    field.value = option.dataset.completes;
    field.focus();
    field.setSelectionRange(field.value.length, field.value.length);
    ask();
  }

  function use(option) {
    if (!option) return field.form.requestSubmit();
    if (option.dataset.completes) return complete(option);
    option.click();
  }

  // What was typed last counts: Enter pressed before its answer is there waits for it.
  function now(what) {
    if (waiting) then = what;
    else what();
  }

  field.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229) return;
    const completion = results.querySelector("[data-completes]");
    if (event.key === "Escape") {
      event.preventDefault(); // a search field would only be cleared
      dialog.close();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      step(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Tab" && !event.shiftKey && completion) {
      event.preventDefault();
      const own = chosen();
      complete(own && own.dataset.completes ? own : completion);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (event.ctrlKey || event.metaKey) field.form.requestSubmit();
      else now(() => use(chosen()));
    }
  });

  results.addEventListener("htmx:afterSwap", () => {
    const all = options();
    waiting = timer !== 0; // this may be the answer to what was typed before
    results.scrollTop = 0;
    field.setAttribute("aria-expanded", String(all.length > 0));
    mean(all[0]);
    if (waiting || !then) return;
    then();
    then = null;
  });

  // An answer that does not come must not hold what was asked for.
  for (const name of ["htmx:sendError", "htmx:responseError"]) {
    field.addEventListener(name, () => { waiting = false; then = null; });
  }

  results.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (!option) return;
    const path = option.getAttribute("href") || "";
    if (option.dataset.completes) complete(option);
    else if (path.endsWith("#shortcuts")) {
      event.preventDefault();
      dialog.close();
      document.getElementById("shortcuts-button").click();
    } else if (!event.ctrlKey && !event.metaKey && !event.shiftKey) {
      dialog.close(); // an address on the same page would leave it open
    }
  });

  results.addEventListener("mousemove", (event) => {
    const option = event.target.closest("[role=option]");
    if (option && option !== chosen()) mean(option);
  });

  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  document.getElementById("palette-close").addEventListener("click", () => dialog.close());
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
