// The log of a step: lines are fetched as they are looked at, appended while it runs, searched,
// linked to. Without this script the server's own lines and links to further ones stand there.
import { Finding } from "./log/finding.js";
import { textOf } from "./log/lines.js";
import { hashOf, placeIn } from "./log/places.js";
import { Store } from "./log/store.js";
import { Stream } from "./log/stream.js";
import { View } from "./log/view.js";

const TYPING = 250;
const SPOKEN = 5000;
const SPOKEN_LINES = 3;
const SHOWN = 2000;

class Log {
  constructor(root) {
    this.root = root;
    const { log, link, total, gap, open, zone } = root.dataset;
    this.link = link;
    this.chosen = null;
    this.unseen = 0;
    this.announcing = false;
    this.said = 0;
    this.area = this.part("area");
    this.numbers = new Intl.NumberFormat(document.documentElement.lang);
    const known = { total: Number(total), gap: gap ? JSON.parse(gap) : null, open: open === "1" };
    this.store = new Store(log, known, {
      changed: () => this.changed(),
      loaded: () => { this.part("failed").hidden = true; },
      failed: (message) => this.fail(message),
    });
    this.finding = new Finding(this.store, {
      changed: () => this.found(),
      failed: (message) => this.fail(message),
    });
    this.view = new View(this.area, this.store, zone, () => this.shown(), {
      moved: () => { if (this.view.isAtEnd) this.unseen = 0; },
      drawn: () => this.paint(),
      words: () => ({ gap: (lines) => this.say("left", ...lines), rest: (n) => this.say("rest", n) }),
    });
    this.listen();
    this.begin();
  }

  part(name) { return this.root.querySelector(`[data-log-${name}]`); }

  // The template's words, with numbers in place of {0}, {1}.
  say(name, ...numbers) {
    return (this.root.dataset[name] || "").replace(/\{(\d)\}/g, (_, at) => {
      const given = numbers[at];
      return typeof given === "number" ? this.numbers.format(given) : given;
    });
  }

  counted(name, number) { return this.say(number === 1 ? `${name}One` : name, number); }

  shown() {
    const { pattern, line } = this.finding;
    return { pattern, current: line, chosen: this.chosen };
  }

  // At first: the lines an address names, else the end of what runs or failed, else the beginning.
  async begin() {
    this.root.querySelectorAll("[data-log-scripted]").forEach((part) => { part.hidden = false; });
    this.part("served")?.remove();
    this.part("link").hidden = !navigator.clipboard;
    this.chosen = placeIn(location.hash);
    const atEnd = this.store.open || this.root.dataset.end === "1";
    await this.store.loadLine(this.chosen ? this.chosen.first : atEnd && this.store.total);
    if (this.chosen) this.go(this.chosen.first);
    else if (this.store.open) this.view.follow();
    else if (atEnd) this.view.show(this.store.total, 0);
    if (this.store.open) this.stream();
    else this.live("end");
  }

  stream() {
    this.source = new Stream(this.store.address, () => this.store.total, {
      lines: (first, lines) => this.append(first, lines),
      end: (answer) => { this.store.end(answer); this.live("end"); this.changed(); },
      state: (state) => this.live(state),
    });
  }

  append(first, lines) {
    const before = this.store.total;
    this.store.append(first, lines);
    if (!this.view.following) this.unseen += Math.max(0, this.store.total - before);
    this.finding.follow(first, lines);
    this.announce(lines.map(([, text]) => text));
    this.changed();
  }

  changed() {
    const { rows, state, message } = this.store;
    const empty = this.part("empty");
    empty.hidden = rows.count > 0;
    const why = this.store.open || state in { lost: 1, expired: 1 } ? state : "kept";
    const told = this.told(state, message);
    empty.textContent = told || this.root.dataset[`state${why}`] || "";
    this.part("said").textContent = rows.count ? told : "";
    this.part("count").textContent = this.counted("lines", rows.total);
    this.area.hidden = rows.count === 0;
    this.area.classList.toggle("log-wide", rows.total > 9999);
    if (rows.count) this.view.begin();
    this.view.soon();
  }

  // What the buttons and the line below say of where the reader is.
  paint() {
    const { following } = this.view;
    if (following) this.unseen = 0;
    const button = this.part("new");
    button.hidden = !this.unseen;
    button.textContent = this.unseen ? this.counted("new", this.unseen) : "";
    this.part("follow").setAttribute("aria-pressed", String(following));
    if (this.finding.line && this.revealing) this.revealing = !this.view.reveal(this.finding.line);
  }

  // What the API says is English: in another language what the page said of that state stands for it.
  told(state, message) {
    const { said, saidstate } = this.root.dataset;
    if (!message || document.documentElement.lang.startsWith("en")) return message;
    if (said && state === saidstate) return said;
    return state in { lost: 1, expired: 1 } ? "" : message;
  }

  live(state) {
    const place = this.part("live");
    place.classList.toggle("live-off", state !== "on");
    const time = this.view.clock.format(new Date()).slice(-8);
    if (state !== "end" || this.source) place.textContent = this.say(`live${state}`, time);
    for (const name of ["follow", "announce"]) this.part(name).hidden = !this.store.open;
    if (!this.store.open) this.view.following = false;
  }

  fail(message) {
    const note = this.part("failed");
    note.hidden = false;
    note.querySelector("p").textContent = message || this.root.dataset.failed;
  }

  announce(texts) {
    if (!this.announcing || Date.now() - this.said < SPOKEN) return;
    this.said = Date.now();
    speak(texts.slice(-SPOKEN_LINES).map(textOf).join("\n"));
  }

  // Search

  found() {
    const { query, total, found, current, asking } = this.finding;
    const words = found.length ? this.say("found", current + 1, total) : this.root.dataset.none;
    this.part("found").textContent = query && !asking ? words : "";
    for (const name of ["previous", "next"]) this.part(name).disabled = found.length < 2;
    this.view.soon();
  }

  goToFound() {
    const { line, query } = this.finding;
    if (query) speak(this.part("found").textContent);
    if (!line) return;
    const [first, last] = this.view.seen;
    this.revealing = true;
    if (line <= first || line >= last) this.view.show(line);
    else this.view.draw();
  }

  async search(query) {
    const [from] = this.view.seen;
    await this.finding.begin(query, from);
    if (this.finding.query === query) this.goToFound();
  }

  step(by) {
    this.finding.step(by);
    this.goToFound();
  }

  // Links to lines

  go(line) {
    this.view.show(line);
    this.root.scrollIntoView({ block: "nearest" });
  }

  choose(line, further) {
    const from = further && this.chosen ? this.anchor : line;
    if (from === line) this.anchor = line;
    this.chosen = { first: Math.min(from, line), last: Math.max(from, line) };
    history.replaceState(history.state, "", `${this.link}${hashOf(this.chosen)}`);
    this.view.active = line;
    this.view.following = false;
    this.view.draw();
  }

  copyLink() {
    const [first] = this.view.seen;
    const place = this.chosen || { first, last: first };
    const address = new URL(`${this.link}${hashOf(place)}`, location.href).href;
    navigator.clipboard.writeText(address).then(() => {
      const button = this.part("link");
      const { title } = button;
      button.title = button.dataset.copied;
      speak(button.dataset.copied);
      button.classList.add("log-done");
      setTimeout(() => { button.title = title; button.classList.remove("log-done"); }, SHOWN);
    });
  }

  // What people do

  listen() {
    const press = (name, act) => this.part(name).addEventListener("click", act);
    press("previous", () => this.step(-1));
    press("next", () => this.step(1));
    press("link", () => this.copyLink());
    press("new", () => { this.view.follow(); this.area.focus({ preventScroll: true }); });
    press("again", () => { this.part("failed").hidden = true; this.store.retry(); });
    press("wrap", ({ currentTarget }) => this.view.wrap(toggled(currentTarget)));
    press("announce", ({ currentTarget }) => { this.announcing = toggled(currentTarget); });
    press("follow", () => {
      if (this.view.following) this.view.following = false;
      else this.view.follow();
      this.paint();
    });
    this.area.addEventListener("click", (event) => this.clicked(event));
    this.area.addEventListener("keydown", (event) => this.pressed(event));
    window.addEventListener("hashchange", () => {
      this.chosen = placeIn(location.hash);
      if (this.chosen) this.go(this.chosen.first);
    });
    this.listenToSearch(this.part("query"));
  }

  listenToSearch(field) {
    let timer = 0;
    field.addEventListener("input", (event) => {
      clearTimeout(timer);
      if (!event.isComposing) timer = setTimeout(() => this.search(field.value), TYPING);
    });
    field.addEventListener("compositionend", () => this.search(field.value));
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing) return;
      event.preventDefault();
      clearTimeout(timer);
      if (this.finding.query === field.value) this.step(event.shiftKey ? -1 : 1);
      else this.search(field.value);
    });
  }

  clicked(event) {
    const link = event.target.closest(".log-n");
    if (!link || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.choose(Number(link.textContent), event.shiftKey);
  }

  pressed(event) {
    const link = event.target.closest(".log-n");
    if (!link || event.ctrlKey || event.metaKey || event.altKey) return;
    const line = Number(link.textContent);
    const { rows, total } = this.store;
    const by = (step) => {
      const row = Math.max(0, Math.min(rows.rowOf(line) + step, rows.count - 1));
      return rows.lineOf(rows.isGap(row) ? row + Math.sign(step) : row);
    };
    const screen = Math.floor(this.view.room / this.view.heights.base) - 1;
    const moves = {
      ArrowUp: () => by(-1), ArrowDown: () => by(1), Home: () => 1, End: () => total,
      PageUp: () => by(-screen), PageDown: () => by(screen),
    };
    if (event.key === "Escape") this.area.focus();
    if (!moves[event.key]) return;
    event.preventDefault();
    const target = moves[event.key]();
    if (event.shiftKey) {
      if (!this.chosen) this.choose(line, false);
      this.choose(target, true);
    }
    this.view.focus(target);
  }
}

function toggled(button) {
  const on = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(on));
  return on;
}

function speak(text) {
  document.getElementById("say").textContent = text;
}

for (const root of document.querySelectorAll("[data-log]")) new Log(root);
