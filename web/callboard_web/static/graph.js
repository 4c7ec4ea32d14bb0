// Pictures of relations walked with keys: one tab stop, arrows to what is next; zoom by buttons
// and keys. Without it every node is a link, in the order of the page.
"use strict";
const ZOOM = 1.25;
const LEAST = 0.2;
const MOST = 3;
const READABLE = 0.7;

function links(area) {
  return [...area.querySelectorAll("a[data-n]")];
}

function begin(root) {
  for (const graph of root.querySelectorAll("[data-graph]:not([data-ready])")) {
    graph.dataset.ready = "1";
    const area = graph.querySelector(".graph-area");
    const all = links(area);
    const centre = all.find((link) => link.hasAttribute("aria-current")) || all[0];
    if (!centre) continue;
    all.forEach((link) => link.setAttribute("tabindex", link === centre ? "0" : "-1"));
    if (document.fullscreenEnabled !== true) graph.querySelector("[data-graph-act=full]").remove();
    const svg = area.querySelector("svg");
    const large = svg.dataset.width > area.clientWidth || svg.dataset.height > area.clientHeight;
    graph.querySelector(".graph-tools").hidden = !large && !graph.closest(".graph-panel");
    // A map without a middle is shown whole, as long as its words can be read.
    if (!centre.hasAttribute("aria-current") && large && fitting(area, svg) >= READABLE) scale(graph, "fit");
    show(area, centre);
  }
}

// Brings a node to the middle without moving the page.
function show(area, link) {
  const box = link.getBoundingClientRect();
  const frame = area.getBoundingClientRect();
  area.scrollLeft += box.left + box.width / 2 - frame.left - frame.width / 2;
  area.scrollTop += box.top + box.height / 2 - frame.top - frame.height / 2;
}

function numbers(link, side) {
  return (link.dataset[side] || "").split(" ").filter(Boolean);
}

function nearest(from, candidates) {
  const middle = (link) => {
    const box = link.getBoundingClientRect();
    return box.top + box.height / 2;
  };
  const at = middle(from);
  return candidates.sort((a, b) => Math.abs(middle(a) - at) - Math.abs(middle(b) - at))[0];
}

function next(area, link, key) {
  const all = links(area);
  if (key === "Home") return all.find((other) => other.hasAttribute("aria-current"));
  if (key === "ArrowLeft" || key === "ArrowRight") {
    const found = numbers(link, key === "ArrowLeft" ? "b" : "a").map((number) => all[number]);
    return nearest(link, found);
  }
  const column = all.filter((other) => other.dataset.c === link.dataset.c);
  return column[column.indexOf(link) + (key === "ArrowUp" ? -1 : 1)];
}

function move(area, link, target) {
  link.setAttribute("tabindex", "-1");
  target.setAttribute("tabindex", "0");
  target.focus({ preventScroll: true });
  target.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function fitting(area, svg) {
  const room = { x: area.clientWidth - 32, y: area.clientHeight - 24 };
  return Math.min(1, room.x / svg.dataset.width, room.y / svg.dataset.height);
}

function scale(graph, act) {
  const area = graph.querySelector(".graph-area");
  const svg = area.querySelector("svg");
  const width = Number(svg.dataset.width);
  const height = Number(svg.dataset.height);
  const now = svg.width.baseVal.value / width;
  const fit = fitting(area, svg);
  const steps = { in: now * ZOOM, out: now / ZOOM, fit: Math.abs(now - fit) < 0.01 ? 1 : fit };
  const size = Math.min(MOST, Math.max(Math.min(LEAST, fit), steps[act]));
  const x = (area.scrollLeft + area.clientWidth / 2) / now;
  const y = (area.scrollTop + area.clientHeight / 2) / now;
  svg.setAttribute("width", Math.round(width * size));
  svg.setAttribute("height", Math.round(height * size));
  area.scrollLeft = x * size - area.clientWidth / 2;
  area.scrollTop = y * size - area.clientHeight / 2;
}

function act(graph, name) {
  if (name !== "full") scale(graph, name);
  else if (document.fullscreenElement) document.exitFullscreen();
  else graph.requestFullscreen();
}

function light(link, on) {
  const all = links(link.closest(".graph-area"));
  for (const side of ["b", "a"]) {
    numbers(link, side).forEach((number) => all[number].classList.toggle("graph-lit", on));
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-graph-act]");
  if (button) act(button.closest("[data-graph]"), button.dataset.graphAct);
});

document.addEventListener("keydown", (event) => {
  const area = event.target.closest(".graph-area");
  if (!area || event.ctrlKey || event.metaKey || event.altKey) return;
  const keys = document.body.dataset.keys !== "off";
  const zoom = { "+": "in", "=": "in", "-": "out", 0: "fit" }[event.key];
  if (zoom && keys) {
    event.preventDefault();
    scale(area.closest("[data-graph]"), zoom);
    return;
  }
  const link = event.target.closest("a[data-n]");
  if (!link || !/^(Arrow(Up|Down|Left|Right)|Home)$/.test(event.key)) return;
  event.preventDefault();
  const target = next(area, link, event.key);
  if (target) move(area, link, target);
});

for (const [name, on] of [["focusin", true], ["focusout", false]]) {
  document.addEventListener(name, (event) => {
    const link = event.target.closest && event.target.closest(".graph-area a[data-n]");
    if (link) light(link, on);
  });
}

begin(document);
document.addEventListener("htmx:load", () => begin(document));
