// What has changed appears without a reload. All pages of a browser share one stream: the one
// that holds the lock listens and tells the others.
"use strict";
(function () {
  const CHANNEL = "callboard-live";
  const STALE = 12000;
  const QUIET = 400;
  const dot = document.getElementById("live-dot");
  const notice = document.getElementById("live-notice");
  const channel = new BroadcastChannel(CHANNEL);
  const waiting = new Set();
  let last = 0;
  let timer = 0;
  let source = null;

  if (!document.querySelector("[data-live-kind], [data-live-subject]")) return;

  function show(state) {
    dot.hidden = false;
    dot.classList.toggle("live-off", state !== "on");
    const time = new Date(last).toLocaleTimeString(document.documentElement.lang, { hour12: false });
    dot.textContent = dot.dataset[state].replace("{}", time);
  }

  function hear(message) {
    last = Date.now();
    show("on");
    if (message.type === "change") changed(message.data);
  }

  function changed(change) {
    for (const region of document.querySelectorAll("[data-live-kind], [data-live-subject]")) {
      if (concerns(region.dataset, change)) waiting.add(region.id);
    }
    clearTimeout(timer);
    timer = setTimeout(() => waiting.forEach((id) => refresh(id, false)), QUIET);
  }

  function concerns(region, change) {
    if (change.all) return true;
    if (region.liveSubject) return change.subjects.includes(region.liveSubject);
    const beginnings = region.liveKind.split(" ");
    return change.kinds.some((kind) => beginnings.some((begin) => kind.startsWith(begin)));
  }

  // What is being read or used does not move: then a notice asks first.
  function isInUse(region) {
    const selection = document.getSelection();
    const selected = selection && !selection.isCollapsed && region.contains(selection.anchorNode);
    const focused = region !== document.activeElement && region.contains(document.activeElement);
    return selected || focused || Boolean(document.querySelector("dialog[open], details.menu[open]"));
  }

  function refresh(id, asked) {
    const region = document.getElementById(id);
    if (!region || document.hidden) return;
    if (!asked && isInUse(region)) {
      notice.hidden = false;
      return;
    }
    waiting.delete(id);
    if (!waiting.size) notice.hidden = true;
    const place = { target: `#${id}`, select: `#${id}`, swap: "outerHTML", headers: { "X-Live": "1" } };
    htmx.ajax("GET", location.pathname + location.search, place).then(() => {
      const fresh = document.getElementById(id);
      if (!fresh) return;
      fresh.classList.add("fresh");
      setTimeout(() => fresh.classList.remove("fresh"), 2000);
    });
  }

  document.getElementById("live-show").addEventListener("click", () => {
    [...waiting].forEach((id) => refresh(id, true));
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) waiting.forEach((id) => refresh(id, false));
  });

  function listen() {
    source = new EventSource("/live");
    const tell = (type) => (event) => {
      const message = { type, data: event.data ? JSON.parse(event.data) : null };
      channel.postMessage(message);
      hear(message);
    };
    source.addEventListener("beat", tell("beat"));
    source.addEventListener("change", tell("change"));
    return new Promise(() => {}); // the lock is held for as long as the page lives
  }

  channel.addEventListener("message", (event) => hear(event.data));
  window.addEventListener("pagehide", () => { if (source) source.close(); });
  if (navigator.locks) navigator.locks.request(CHANNEL, listen);
  else listen();

  show("wait");
  setInterval(() => { if (last && Date.now() - last > STALE) show("off"); }, 2000);
})();
