// The lines of one log, as far as somebody looks at them: fetched in pages around what is seen,
// appended while the step runs. Pages far from what is seen are dropped.
import { Rows } from "./places.js";

const PAGE = 500;
const MOST_PAGES = 60;
const AT_ONCE = 2;
const SETTLE = 40;
const AGAIN = 10000;

export class Store {
  // `told`: changed() after anything has; loaded(), failed(message) where an answer came or not.
  constructor(address, { total, gap, open }, told) {
    this.address = address;
    this.rows = new Rows(total, gap);
    this.open = open;
    this.state = "";
    this.message = "";
    this.told = told;
    this.pages = new Map();
    this.asked = new Set();
    this.wanted = [0];
    this.timer = 0;
  }

  get total() { return this.rows.total; }

  line(number) {
    const page = this.pages.get(Math.floor((number - 1) / PAGE));
    return page && page.lines[(number - 1) % PAGE];
  }

  // Says which lines are seen; what of them is not here is asked for once the scrolling settles.
  want(lines) {
    this.wanted = [...new Set(lines.map((number) => Math.floor((number - 1) / PAGE)))];
    if (this.timer || !this.missing().length) return;
    this.timer = setTimeout(() => { this.timer = 0; this.ask(); }, SETTLE);
  }

  missing() {
    return this.wanted.filter((number) => !this.asked.has(number) && this.lacks(number));
  }

  // A page is asked for again only after the log has grown: what the server has not, it has not.
  lacks(number) {
    const page = this.pages.get(number);
    const known = Math.max(0, Math.min(PAGE, this.total - number * PAGE));
    return !page || (page.held < known && page.asked !== this.total);
  }

  ask() {
    const room = Math.max(0, AT_ONCE - this.asked.size);
    for (const number of this.missing().slice(0, room)) this.load(number);
  }

  // Asks for a line, or for the first ones.
  loadLine(line) {
    return this.load(Math.floor((Math.max(1, Math.min(line, this.total)) - 1) / PAGE));
  }

  load(number) {
    this.asked.add(number);
    return this.fetch(`?from=${number * PAGE + 1}&count=${PAGE}`)
      .then((answer) => {
        this.take(answer);
        this.page(number).asked = this.total;
        this.asked.delete(number);
        this.told.loaded();
        this.told.changed();
        this.ask();
      })
      .catch((error) => {
        // It counts as asked for until it is tried again, by itself or by a person.
        setTimeout(() => { this.asked.delete(number); this.ask(); }, AGAIN);
        this.told.failed(error.message);
      });
  }

  retry() {
    this.asked.clear();
    this.ask();
  }

  async fetch(query, options = {}) {
    const path = `${this.address}${query}`;
    const answer = await fetch(path, { headers: { Accept: "application/json" }, ...options });
    const read = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error((read.error && read.error.message) || "");
    return read;
  }

  take({ state, message, first, lines, total, done, gap }) {
    this.state = state;
    this.message = message || "";
    this.open = !done;
    this.rows = new Rows(Math.max(total, this.open ? this.total : 0), gap);
    for (const { n, at, text } of lines) this.put(n ?? first, at, text);
    this.trim();
  }

  // Lines as the stream gives them: [at, text], the first of them with its number.
  append(first, lines) {
    lines.forEach(([at, text], index) => this.put(first + index, at, text));
    this.rows = new Rows(Math.max(this.total, first + lines.length - 1), this.rows.gap);
    this.trim();
  }

  end({ state, total, message }) {
    this.open = false;
    this.state = state;
    this.message = message || "";
    this.rows = new Rows(Math.max(total, this.total), this.rows.gap);
  }

  page(number) {
    if (!this.pages.has(number)) this.pages.set(number, { lines: [], held: 0, asked: -1 });
    return this.pages.get(number);
  }

  put(number, at, text) {
    const page = this.page(Math.floor((number - 1) / PAGE));
    const place = (number - 1) % PAGE;
    if (!page.lines[place]) page.held += 1;
    page.lines[place] = { at, text };
  }

  trim() {
    const spare = this.pages.size - MOST_PAGES;
    if (spare <= 0) return;
    const [near] = this.wanted;
    const far = [...this.pages.keys()].sort((a, b) => Math.abs(b - near) - Math.abs(a - near));
    far.slice(0, spare).forEach((number) => this.pages.delete(number));
  }
}
