// The selection in the catalog's list: the bar says how much is selected; a refresh keeps it.
"use strict";
(function () {
  const selected = new Set();

  const boxes = () => [...document.querySelectorAll("#list [data-select]")];

  function show() {
    const bar = document.getElementById("bulk");
    if (!bar) return;
    const all = document.getElementById("bulk-all").value;
    const here = boxes().filter((box) => box.checked);
    const page = document.getElementById("select-page");
    const more = document.getElementById("bulk-select-all");
    const words = all && more ? more.dataset.words : document.getElementById("bulk-count").dataset.words;
    bar.hidden = !here.length;
    document.getElementById("bulk-count").textContent = words.replace("{}", here.length);
    page.hidden = false;
    page.checked = here.length > 0 && here.length === boxes().length;
    page.indeterminate = here.length > 0 && !page.checked;
    if (more) more.hidden = Boolean(all);
    for (const box of boxes()) {
      const row = box.closest("tr");
      if (box.checked) row.setAttribute("aria-selected", "true");
      else row.removeAttribute("aria-selected");
    }
  }

  function keep() {
    selected.clear();
    for (const box of boxes()) if (box.checked) selected.add(box.value);
  }

  function all(on) {
    const field = document.getElementById("bulk-all");
    if (field) field.value = on ? "1" : "";
  }

  function check(on) {
    for (const box of boxes()) box.checked = on;
    all(false);
    keep();
    show();
  }

  document.addEventListener("change", (event) => {
    if (event.target.id === "select-page") check(event.target.checked);
    else if (event.target.matches("[data-select]")) { all(false); keep(); show(); }
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("#bulk-clear")) check(false);
    if (event.target.closest("#bulk-select-all")) {
      all(true);
      show();
      document.getElementById("say").textContent = document.getElementById("bulk-count").textContent;
    }
  });

  // A list that is drawn anew has the same rows selected, as far as they are still there.
  document.body.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id !== "list" && !document.getElementById("list")) return;
    for (const box of boxes()) if (selected.has(box.value)) box.checked = true;
    keep();
    show();
  });

  // A menu of the toolbar closes when something in it was chosen.
  document.body.addEventListener("htmx:beforeRequest", (event) => {
    const menu = event.target.closest("#list-menus details.menu");
    if (menu) menu.open = false;
  });

  show();
})();
