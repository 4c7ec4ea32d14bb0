// What has changed appears without a reload, and never under the eyes of who reads it.
"use strict";
(function () {
  const QUIET = 400;
  const STALE = window.callboard.slow ? 75000 : 12000;
  const LIVE = "[data-live-kind], [data-live-subject]";
  const dot = document.getElementById("live-dot");
  const notice = document.getElementById("live-notice");
  const waiting = new Set();
  const started = Date.now();
  let last = 0;
  let timer = 0;
  let loading = false;
  let wanted = false;

  if (!document.querySelector(LIVE)) return;

  function show(state) {
    dot.hidden = false;
    dot.classList.toggle("live-off", state !== "on");
    // 24 hours in every language; the browser's own words for times take it long to load.
    const time = new Date(last || started).toTimeString().slice(0, 8);
    dot.textContent = dot.dataset[state].replace("{}", time);
  }

  function hear(message) {
    last = Date.now();
    show("on");
    if (message.type === "change") changed(message.change);
  }

  function changed(change) {
    for (const region of document.querySelectorAll(LIVE)) {
      if (concerns(region.dataset, change)) waiting.add(region.id);
    }
    if (!waiting.size || timer) return;
    // Many pages are open: each takes its own moment within the time the server names.
    const delay = QUIET + Math.random() * (change.within || 0) * 1000;
    timer = setTimeout(() => {
      timer = 0;
      refresh(false);
    }, delay);
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
    const checked = region.querySelector("input[type=checkbox][data-row]:checked");
    return selected || focused || Boolean(checked || document.querySelector("dialog[open], details.menu[open]"));
  }

  function refresh(asked) {
    // What changes meanwhile is asked for afterwards: htmx drops what waits for what it replaces.
    wanted = wanted || asked;
    if (document.hidden || loading) return;
    const ready = [];
    for (const id of [...waiting]) {
      const region = document.getElementById(id);
      if (region && !wanted && isInUse(region)) continue;
      waiting.delete(id);
      if (region) ready.push(id);
    }
    wanted = false;
    notice.hidden = !waiting.size;
    if (ready.length) load(ready);
  }

  // One request for all of them: each is taken out of the same page.
  function load([first, ...others]) {
    const place = {
      target: `#${first}`, select: `#${first}`, swap: "outerHTML", source: `#${first}`,
      selectOOB: others.map((id) => `#${id}`).join(","), headers: { "X-Live": "1" },
    };
    loading = true;
    const asked = htmx.ajax("GET", location.pathname + location.search, place).then(() => {
      for (const id of [first, ...others]) {
        const fresh = document.getElementById(id);
        if (!fresh) continue;
        fresh.classList.add("fresh");
        setTimeout(() => fresh.classList.remove("fresh"), 2000);
      }
    });
    asked.catch(() => {}).then(() => {
      loading = false;
      if (waiting.size) refresh(false);
    });
  }

  document.getElementById("live-show").addEventListener("click", () => refresh(true));
  document.addEventListener("visibilitychange", () => refresh(false));

  show("wait");
  window.callboard.listen(hear);
  setInterval(() => { if (Date.now() - (last || started) > STALE) show("off"); }, 2000);
})();
