// The lines that are seen, and some above and below, out of however many there are: rows of one
// height, or of the heights they are measured to have while they are wrapped.
import { level, mark, read } from "./lines.js";
import { Heights } from "./places.js";

const AROUND = 24;
const NEAR_END = 4;
const HEIGHT = 19; // as in log.css

export class View {
  // `shown` gives what rows depend on: {pattern, current, chosen}; `told.moved()` after scrolling.
  constructor(area, store, zone, shown, told) {
    this.area = area;
    this.store = store;
    this.shown = shown;
    this.told = told;
    this.following = false;
    this.wrapped = false;
    this.drawn = new Map();
    this.frame = 0;
    this.before = 0;
    this.active = 0;
    this.clock = new Intl.DateTimeFormat("sv-SE", {
      timeZone: zone, dateStyle: "short", timeStyle: "medium",
    });
    this.whole = block("log-whole");
    this.box = block("log-rows");
    this.whole.append(this.box);
    this.heights = new Heights(HEIGHT);
    area.addEventListener("scroll", () => this.scrolled(), { passive: true });
    // Sooner than the scrolling that comes of it: lines that come meanwhile do not undo it.
    area.addEventListener("wheel", (event) => this.leave(event.deltaY < 0), { passive: true });
    area.addEventListener("touchmove", () => this.leave(true), { passive: true });
    area.addEventListener("keydown", ({ key }) => this.leave(/^(ArrowUp|PageUp|Home)$/.test(key)));
    new ResizeObserver(() => this.resized()).observe(area);
  }

  // Takes the place of what the server drew, once there is something to show.
  begin() {
    if (!this.whole.isConnected) this.area.replaceChildren(this.whole);
  }

  get place() {
    return this.area.scrollTop - this.whole.offsetTop;
  }

  get room() { return this.area.clientHeight; }

  // The first and the last line that are seen.
  get seen() {
    const { rows } = this.store;
    const last = this.heights.at(this.place + this.room - 1);
    return [rows.lineOf(this.heights.at(Math.max(0, this.place))), rows.lineOf(last)];
  }

  get isAtEnd() {
    return this.area.scrollTop + this.room >= this.area.scrollHeight - NEAR_END;
  }

  scrolled() {
    const up = this.area.scrollTop < this.before;
    if (up && !this.isAtEnd) this.following = false;
    else if (!up && this.store.open && this.isAtEnd) this.following = true;
    this.before = this.area.scrollTop;
    this.told.moved();
    this.soon();
  }

  leave(really) {
    if (really) this.following = false;
  }

  resized() {
    if (this.wrapped) this.heights.clear();
    this.soon();
  }

  wrap(on) {
    const [line] = this.seen;
    this.wrapped = on;
    this.area.classList.toggle("log-wrapped", on);
    this.heights.clear();
    this.whole.style.minWidth = "";
    this.drawn.forEach(({ element }) => element.remove());
    this.drawn.clear();
    if (this.following) this.draw();
    else this.show(line, 0);
  }

  follow() {
    this.following = true;
    this.draw();
  }

  // Brings a line to a part of the height of the view, from the top.
  show(line, part = 0.3) {
    this.following = false;
    const row = this.store.rows.rowOf(Math.max(1, Math.min(line, this.store.total)));
    for (let time = 0; time < 2; time += 1) { // heights above it are known after the first
      this.area.scrollTop = this.whole.offsetTop + this.heights.above(row) - part * this.room;
      this.before = this.area.scrollTop;
      this.draw();
    }
  }

  soon() {
    if (!this.frame) this.frame = requestAnimationFrame(() => { this.frame = 0; this.draw(); });
  }

  draw() {
    const { rows } = this.store;
    if (!this.whole.isConnected || !rows.count) return;
    this.heights.grow(rows.count);
    this.stretch();
    if (this.following && this.isSelected()) this.following = false;
    if (this.following) this.toEnd();
    const first = this.heights.at(Math.max(0, this.place));
    const offset = this.place - this.heights.above(first);
    this.put(first, this.heights.at(this.place + this.room));
    if (this.wrapped && this.measure()) {
      this.stretch();
      if (this.following) this.toEnd();
      else this.area.scrollTop = this.whole.offsetTop + this.heights.above(first) + offset;
      this.before = this.area.scrollTop;
      this.put(this.heights.at(Math.max(0, this.place)), this.heights.at(this.place + this.room));
    }
    if (!this.wrapped) this.widen();
    this.told.drawn();
  }

  toEnd() {
    this.area.scrollTop = this.area.scrollHeight;
    this.before = this.area.scrollTop;
  }

  stretch() {
    this.whole.style.height = `${this.heights.whole}px`;
  }

  // The widest line that was seen keeps the others from moving sideways.
  widen() {
    const width = this.box.scrollWidth;
    if (width > this.whole.clientWidth) this.whole.style.minWidth = `${width}px`;
  }

  measure() {
    let changed = false;
    for (const [row, { element }] of this.drawn) {
      if (this.heights.set(row, element.offsetHeight)) changed = true;
    }
    return changed;
  }

  // Rows stay the same elements while they are seen: what is selected or focused in them stays.
  put(seenFirst, seenLast) {
    const first = Math.max(0, seenFirst - AROUND);
    const last = Math.min(this.store.rows.count - 1, seenLast + AROUND);
    for (const [row, { element }] of this.drawn) {
      if (row >= first && row <= last) continue;
      if (element.contains(document.activeElement)) this.area.focus({ preventScroll: true });
      element.remove();
      this.drawn.delete(row);
    }
    const lines = [];
    let next = this.box.firstChild;
    for (let row = first; row <= last; row += 1) {
      lines.push(this.store.rows.lineOf(row));
      const before = this.drawn.get(row)?.element;
      const element = this.row(row);
      if (before && next === before) next = element; // it may have been drawn anew in its place
      if (element === next) next = next.nextSibling;
      else this.box.insertBefore(element, next);
    }
    this.box.style.top = `${this.heights.above(first)}px`;
    this.rove(seenFirst, seenLast);
    this.store.want(lines);
  }

  row(row) {
    const number = this.store.rows.lineOf(row);
    const line = this.store.line(number);
    const { pattern, current, chosen } = this.shown();
    const isChosen = Boolean(chosen) && number >= chosen.first && number <= chosen.last;
    const key = [number, Boolean(line), pattern, current === number, isChosen, this.store.rows.gap];
    const kept = this.drawn.get(row);
    if (kept && kept.key.every((part, index) => part === key[index])) return kept.element;
    const element = this.store.rows.isGap(row) ? this.gap() : this.made(number, line, pattern);
    element.classList.toggle("log-chosen", isChosen);
    element.classList.toggle("log-current", current === number);
    if (kept) this.swap(kept.element, element);
    this.drawn.set(row, { element, key });
    return element;
  }

  swap(old, fresh) {
    const focused = old.contains(document.activeElement);
    old.replaceWith(fresh);
    if (focused) fresh.querySelector("a")?.focus({ preventScroll: true });
  }

  made(number, line, pattern) {
    const element = block("");
    element.id = `L${number}`;
    const link = document.createElement("a");
    link.className = "log-n";
    link.href = `#L${number}`;
    link.tabIndex = -1;
    link.textContent = number;
    const text = document.createElement("span");
    text.id = `L${number}-text`;
    link.setAttribute("aria-describedby", text.id);
    element.append(link, this.time(line), text);
    if (line) fill(element, text, line, pattern, this.told.words());
    else element.classList.add("log-wait");
    return element;
  }

  time(line) {
    const time = document.createElement("time");
    if (!line || !line.at) return time;
    const written = this.clock.format(new Date(line.at));
    time.dateTime = line.at;
    time.title = written;
    time.textContent = written.slice(-8);
    return time;
  }

  gap() {
    const element = block("log-gap");
    element.textContent = this.told.words().gap(this.store.rows.gap);
    return element;
  }

  // One line number is reached by the Tab key; the arrows lead from it to the others.
  rove(seenFirst, seenLast) {
    const { rows } = this.store;
    const active = this.active ? rows.rowOf(this.active) : -1;
    const chosen = active >= seenFirst && active <= seenLast ? active : seenFirst;
    for (const [row, { element }] of this.drawn) {
      const link = element.querySelector("a");
      if (link && link.tabIndex !== (row === chosen ? 0 : -1)) link.tabIndex = row === chosen ? 0 : -1;
    }
  }

  // Puts the focus on the number of a line, and brings it into view.
  focus(line) {
    const { rows } = this.store;
    this.active = rows.lineOf(Math.max(0, Math.min(rows.rowOf(line), rows.count - 1)));
    const row = rows.rowOf(this.active);
    const top = this.heights.above(row);
    const bottom = this.heights.above(row + 1);
    this.following = false;
    if (top < this.place) this.area.scrollTop = this.whole.offsetTop + top;
    else if (bottom > this.place + this.room) this.area.scrollTop += bottom - this.place - this.room;
    this.before = this.area.scrollTop;
    this.draw();
    this.drawn.get(row)?.element.querySelector("a")?.focus({ preventScroll: true });
  }

  // Brings what is marked in a line into the view, sideways.
  reveal(line) {
    const found = this.drawn.get(this.store.rows.rowOf(line))?.element.querySelector("mark");
    if (!found || this.wrapped) return Boolean(found);
    const box = found.getBoundingClientRect();
    const frame = this.area.getBoundingClientRect();
    if (box.right > frame.right) this.area.scrollLeft += box.right - frame.right + frame.width / 3;
    else if (box.left < frame.left) this.area.scrollLeft -= frame.left - box.left + frame.width / 3;
    return true;
  }

  isSelected() {
    const selection = document.getSelection();
    return Boolean(selection) && !selection.isCollapsed && this.area.contains(selection.anchorNode);
  }
}

function block(name) {
  const element = document.createElement("div");
  if (name) element.className = name;
  return element;
}

function fill(element, place, line, pattern, words) {
  const { pieces, rest } = read(line.text);
  const shade = level(pieces.map((piece) => piece.text).join(""));
  if (shade) element.classList.add(shade);
  for (const { text, classes, marked } of mark(pieces, pattern)) {
    let part = document.createTextNode(text);
    if (marked || classes) {
      part = document.createElement(marked ? "mark" : "span");
      part.className = classes;
      part.textContent = text;
    }
    place.append(part);
  }
  if (!rest) return;
  const more = document.createElement("em");
  more.textContent = ` ${words.rest(rest)}`;
  place.append(more);
}
