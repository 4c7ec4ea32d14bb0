// Where lines are: their numbers in addresses, the rows they are shown in, and how high those are.

// `#L12` or `#L10-L20` as {first, last}, or null for what names no line.
export function placeIn(hash) {
  const found = /^#?L(\d{1,9})(?:-L?(\d{1,9}))?$/.exec(hash);
  if (!found) return null;
  const [one, other] = [Number(found[1]), Number(found[2] ?? found[1])];
  return one && other ? { first: Math.min(one, other), last: Math.max(one, other) } : null;
}

export function hashOf({ first, last }) {
  return first === last ? `#L${first}` : `#L${first}-L${last}`;
}

// Rows from 0 for lines from 1. Lines that were left out (`gap`, [first, last]) share one row.
export class Rows {
  constructor(total = 0, gap = null) {
    this.total = total;
    this.gap = gap;
  }

  get hidden() { return this.gap ? this.gap[1] - this.gap[0] : 0; }

  get count() { return this.total - this.hidden; }

  rowOf(line) {
    if (!this.gap || line <= this.gap[0]) return line - 1;
    return Math.max(line, this.gap[1]) - 1 - this.hidden;
  }

  lineOf(row) {
    return this.gap && row >= this.gap[0] ? row + 1 + this.hidden : row + 1;
  }

  isGap(row) { return Boolean(this.gap) && row === this.gap[0] - 1; }
}

// How high rows are, from the top: `base` pixels each, but for those that were measured. A binary
// indexed tree (Fenwick, 1994): what is above a row, and the row at a height, in few steps.
export class Heights {
  constructor(base) {
    this.base = base;
    this.count = 0;
    this.size = 1024;
    this.clear();
  }

  clear() {
    this.tree = new Int32Array(this.size + 1);
    this.more = new Map();
  }

  grow(count) {
    this.count = count;
    if (count <= this.size) return;
    while (this.size < count) this.size *= 2;
    const kept = [...this.more];
    this.clear();
    for (const [row, height] of kept) this.set(row, height + this.base);
  }

  set(row, height) {
    const more = height - this.base;
    const step = more - (this.more.get(row) || 0);
    if (!step) return false;
    if (more) this.more.set(row, more);
    else this.more.delete(row);
    for (let at = row + 1; at <= this.size; at += at & -at) this.tree[at] += step;
    return true;
  }

  above(row) {
    let sum = row * this.base;
    for (let at = row; at > 0; at -= at & -at) sum += this.tree[at];
    return sum;
  }

  get whole() { return this.above(this.count); }

  // The row at a height, within those there are.
  at(height) {
    let row = 0;
    let left = height;
    for (let step = this.size; step; step >>= 1) {
      const size = row + step <= this.size ? step * this.base + this.tree[row + step] : Infinity;
      if (size > left) continue;
      row += step;
      left -= size;
    }
    return Math.max(0, Math.min(row, this.count - 1));
  }
}
