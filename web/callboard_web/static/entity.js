// Copy buttons of an entity's pages: they say what became of it where they stand.
"use strict";
(function () {
  const SHOWN = 2000;
  const COPIES = "[data-copy-text], [data-copy-lines]";

  function textOf(button) {
    if (button.dataset.copyLines === undefined) return button.dataset.copyText;
    const lines = document.querySelectorAll(`#${button.dataset.copyLines} code`);
    return [...lines].map((line) => line.textContent).join("\n") + "\n";
  }

  function tell(button) {
    const label = button.querySelector("span");
    const before = label.textContent;
    if (before === button.dataset.copied) return;
    label.textContent = button.dataset.copied;
    document.getElementById("say").textContent = button.dataset.copied;
    setTimeout(() => { label.textContent = before; }, SHOWN);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest(COPIES);
    if (button) navigator.clipboard.writeText(textOf(button)).then(() => tell(button));
  });

  // Without a clipboard (no script, no https) there is nothing to press.
  function ready() {
    for (const button of document.querySelectorAll(COPIES)) button.hidden = !navigator.clipboard;
    const current = document.querySelector("main .tabs [aria-current]");
    const bar = current && current.parentElement;
    if (bar) bar.scrollLeft = current.offsetLeft - (bar.clientWidth - current.clientWidth) / 2;
  }

  ready();
  document.body.addEventListener("htmx:afterSettle", ready);
})();
