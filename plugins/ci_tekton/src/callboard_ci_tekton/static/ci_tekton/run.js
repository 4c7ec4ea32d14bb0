// Keeps what the reader has chosen and opened while parts of the page are loaded anew.
"use strict";

// What a reload chooses by itself changes while the run goes on: the address says it instead.
const pane = document.getElementById("ci-run-pane");
if (pane?.dataset.chosen && !new URLSearchParams(location.search).has("task")) {
  history.replaceState(history.state, "", location.pathname + pane.dataset.chosen + location.hash);
}

const BESIDE = 24;
const SCROLLED = ["ci-run-dag", "ci-run-tree"];
let opened = new Map();
let scrolled = new Map();

function remember() {
  opened = new Map([...document.querySelectorAll("#ci-run-tree details[id], #ci-run-facts details[id]")]
    .map((item) => [item.id, item.open]));
  scrolled = new Map(SCROLLED.map((id) => document.getElementById(id)).filter(Boolean)
    .map((item) => [item.id, [item.scrollLeft, item.scrollTop]]));
}

function restore() {
  for (const [id, open] of opened) {
    const item = document.getElementById(id);
    if (item instanceof HTMLDetailsElement) item.open = open;
  }
  for (const [id, [left, top]] of scrolled) document.getElementById(id)?.scrollTo(left, top);
}

document.body.addEventListener("htmx:beforeSwap", remember);
document.body.addEventListener("htmx:afterSwap", restore);

// The chosen task of a long graph is in sight.
const shape = document.querySelector("#ci-run-dag a[aria-current]");
const graph = document.getElementById("ci-run-dag");
if (shape && graph) {
  const place = shape.getBoundingClientRect();
  const around = graph.getBoundingClientRect();
  if (place.right > around.right) graph.scrollLeft += place.right - around.right + BESIDE;
  if (place.bottom > around.bottom) graph.scrollTop += place.bottom - around.bottom + BESIDE;
}
