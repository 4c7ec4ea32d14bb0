// One stream of changes for all pages of a browser: the page that leads listens and tells the
// others. Where the browser cannot listen it asks every ten seconds.
"use strict";
(function () {
  const CHANNEL = "callboard-live";
  const LEASE = "callboard-leader";
  const LEASE_TIME = 6000;
  const POLL = 10000;
  const POLL_HIDDEN = 60000;
  const AGAIN = 30000;
  const LEADS = 500; // after so long a page knows whether it leads
  const me = Math.random().toString(36).slice(2);
  const channel = "BroadcastChannel" in window ? new BroadcastChannel(CHANNEL) : null;
  let heard = 0; // the number of the last change, for whoever leads next
  let source = null;
  let timer = 0;
  let release = null;
  let tell = null;

  function pass(message) {
    if (message.id) heard = message.id;
    tell(message);
  }

  function spread(message) {
    pass(message);
    if (channel) channel.postMessage(message);
  }

  // What changed while this page was drawn and loaded: the last answer on the way to it counts.
  function drawn() {
    const [loading] = performance.getEntriesByType("navigation");
    return `ago=${Math.round(performance.now() - (loading ? loading.requestStart : 0))}`;
  }

  const since = () => (heard ? `after=${heard}` : drawn());

  // The page that leads told of that before this one could hear it.
  function catchUp() {
    if (source || timer) return;
    fetch(`/live/changes?${drawn()}`)
      .then((response) => (response.ok ? response.json() : { change: null }))
      .then((answer) => { if (answer.change) tell({ type: "change", change: answer.change }); })
      .catch(() => {}); // what comes next is heard all the same
  }

  function listen() {
    if (!window.EventSource) { poll(); return; }
    source = new EventSource(`/live?${since()}`);
    source.addEventListener("beat", () => spread({ type: "beat" }));
    source.addEventListener("change", (event) => {
      spread({ type: "change", id: Number(event.lastEventId), change: JSON.parse(event.data) });
    });
    source.addEventListener("error", () => {
      // A refusal ends an EventSource for good; a lost connection it mends by itself.
      if (source.readyState !== EventSource.CLOSED) return;
      timer = setTimeout(listen, AGAIN);
    });
  }

  function poll() {
    fetch(`/live/changes?${since()}`)
      .then((response) => (response.ok ? response.json() : Promise.reject(response)))
      .then((answer) => {
        spread(answer.change ? { type: "change", ...answer } : { type: "beat", id: answer.id });
      })
      .catch(() => {}) // silence is what the page tells of
      .finally(() => { timer = setTimeout(poll, document.hidden ? POLL_HIDDEN : POLL); });
  }

  function leave() {
    clearTimeout(timer);
    if (source) source.close();
    if (release) release();
    source = null;
    release = null;
  }

  // Web Locks are for secure pages only. Without them a note in the storage says who leads; two
  // that do for a moment cost a connection, no more.
  function lease() {
    let kept = null;
    try { kept = JSON.parse(localStorage.getItem(LEASE)); } catch { kept = null; }
    const mine = !kept || kept.who === me || Date.now() - kept.at > LEASE_TIME;
    if (mine) {
      try { localStorage.setItem(LEASE, JSON.stringify({ who: me, at: Date.now() })); } catch { /* alone */ }
      if (!source && !timer) listen();
    } else if (source) {
      source.close();
      source = null;
    }
  }

  function join() {
    if (navigator.locks) {
      navigator.locks.request(CHANNEL, () => {
        listen();
        return new Promise((resolve) => { release = resolve; });
      });
    } else if (channel) {
      lease();
      setInterval(lease, LEASE_TIME / 3);
    } else {
      listen();
    }
    setTimeout(catchUp, LEADS);
  }

  window.addEventListener("pagehide", () => {
    leave();
    try {
      const kept = JSON.parse(localStorage.getItem(LEASE));
      if (kept && kept.who === me) localStorage.removeItem(LEASE);
    } catch { /* nothing was kept */ }
  });
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted || !tell) return;
    pass({ type: "change", change: { all: true } }); // it slept, and missed what happened
    if (navigator.locks) join();
    else lease();
  });
  if (channel) channel.addEventListener("message", (event) => { if (tell) pass(event.data); });

  window.callboard = Object.assign(window.callboard || {}, {
    // Calls back with each sign of life and each change, from whichever page it is heard.
    listen(callback) { tell = callback; join(); },
    slow: !window.EventSource,
  });
})();
