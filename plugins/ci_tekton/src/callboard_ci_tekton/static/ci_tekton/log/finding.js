// What is searched for in a log: the server finds it in all lines, the page in those that come.
import { patternOf, textOf } from "./lines.js";

const MOST = 10000;

export class Finding {
  constructor(store, told) {
    this.store = store;
    this.told = told;
    this.clear();
  }

  clear() {
    if (this.asking) this.asking.abort();
    this.asking = null;
    this.query = "";
    this.pattern = null;
    this.found = [];
    this.total = 0;
    this.current = 0;
  }

  get line() { return this.found[this.current]; }

  // Looks for a text; the first place is that at or below the line `from`.
  async begin(query, from) {
    this.clear();
    if (!query) { this.told.changed(); return; }
    const asking = new AbortController();
    this.asking = asking;
    this.query = query;
    this.pattern = patternOf(query);
    const until = this.store.total;
    try {
      const path = `/search?q=${encodeURIComponent(query)}&limit=${MOST}`;
      const { lines, total } = await this.store.fetch(path, { signal: asking.signal });
      // What came meanwhile was looked at by the page, and may have been by the server.
      const later = this.found.filter((number) => number > Math.max(until, lines.at(-1) || 0));
      this.found = [...lines, ...later];
      this.total = total + later.length;
      this.current = Math.max(0, this.found.findIndex((number) => number >= from));
      this.asking = null;
      this.told.changed();
    } catch (error) {
      if (asking.signal.aborted) return;
      this.asking = null;
      this.told.failed(error.message);
    }
  }

  // Looks at lines that have just come.
  follow(first, lines) {
    if (!this.pattern) return;
    lines.forEach(([, text], index) => {
      const number = first + index;
      if (number <= (this.found.at(-1) || 0)) return;
      this.pattern.lastIndex = 0;
      if (!this.pattern.test(textOf(text))) return;
      this.total += 1;
      if (this.found.length < MOST) this.found.push(number);
    });
    this.told.changed();
  }

  step(by) {
    if (!this.found.length) return;
    this.current = (this.current + by + this.found.length) % this.found.length;
    this.told.changed();
  }
}
