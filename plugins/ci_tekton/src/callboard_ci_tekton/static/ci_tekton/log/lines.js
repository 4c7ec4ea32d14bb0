// Lines of a log: what a terminal would show of them, as pieces of text with classes. Nothing here
// is HTML. `callboard_ci_tekton/logs/showing.py` does the same without colours; a test compares.
export const LONGEST = 4000;

const MOST_CODES = 32;
const MOST_MARKS = 200;
const FIRST = 120;

// ECMA-48: CSI (with its parameters and its last letter), OSC, other strings, other escapes; then
// what moves to the start of the line, and control characters that mean nothing here.
const CONTROL = new RegExp([
  "(?:\\x1b\\[|\\x9b)([0-?]*)[ -/]*([@-~])?",
  "(?:\\x1b\\]|\\x9d)[^\\x07\\x1b\\x9c]*(?:\\x07|\\x1b\\\\|\\x9c)?",
  "(?:\\x1b[PX^_]|[\\x90\\x98\\x9e\\x9f])[^\\x1b\\x9c]*(?:\\x1b\\\\|\\x9c)?",
  "\\x1b[ -/]*[0-~]?",
  "\\r",
  "[\\x00-\\x08\\x0a-\\x1f\\x7f-\\x9f]",
].join("|"), "g");

// A level that is counted is not one: `ERROR: 0`, `(HIGH: 9, CRITICAL: 1)`.
const UNCOUNTED = "(?!\\s*[:=]\\s*\\d+\\s*(?:[,;)|]|$))";
const ERROR = [
  `\\b(?:ERROR|ERR!|FATAL|CRITICAL|SEVERE|PANIC)(?![\\w-])${UNCOUNTED}`,
  `^(?:npm )?(?:[Ee]rror|[Ff]atal|[Pp]anic|[Ff]ailed|Traceback)(?=[:\\s])${UNCOUNTED}`,
  "^[\\w.]*(?:Error|Exception): ",
  "\\[(?:error|fatal)\\]|\\blevel=\"?(?:error|fatal|panic)\\b",
  "\"(?:level|severity)\":\\s?\"(?:error|fatal|panic|critical)\"",
  "^[EF]\\d{4} \\d\\d:",
];
const WARNING = [
  `\\bWARN(?:ING)?(?![\\w-])${UNCOUNTED}`,
  `^(?:npm )?[Ww]arn(?:ing)?(?=[:\\s])${UNCOUNTED}`,
  "\\[warn(?:ing)?\\]|\\blevel=\"?warn(?:ing)?\\b",
  "\"(?:level|severity)\":\\s?\"warn(?:ing)?\"",
  "^W\\d{4} \\d\\d:",
];
const LEVELS = [
  ["m", /^(?:\+{1,3}|\$) /],
  ["e", new RegExp(ERROR.join("|"))],
  ["w", new RegExp(WARNING.join("|"))],
];

// What the beginning of a line says of it: "e", "w", "m" (muted) or "".
export function level(text) {
  const begin = text.slice(0, FIRST);
  const found = LEVELS.find(([, pattern]) => pattern.test(begin));
  return found ? found[0] : "";
}

// What a terminal shows of a line in the end: {pieces: [{text, classes}], rest}, of which `rest`
// characters are left out. Colours begin anew with each line, so that any line reads by itself.
export function read(line) {
  const style = {};
  let kept = [];
  let pieces = [];
  let end = 0;
  const take = (text) => { if (text) pieces.push({ text, classes: classesOf(style) }); };
  for (const found of line.matchAll(CONTROL)) {
    take(line.slice(end, found.index));
    end = found.index + found[0].length;
    if (found[2] === "m") dress(style, found[1]);
    if (!beginsAgain(found)) continue;
    if (pieces.length) kept = pieces;
    pieces = [];
  }
  take(line.slice(end));
  return bounded(pieces.length ? pieces : kept);
}

export function textOf(line) {
  return read(line).pieces.map((piece) => piece.text).join("");
}

// What follows is written over the line: CR, to the first column, erase the line.
function beginsAgain([whole, given, letter]) {
  if (letter) return (letter === "G" && /^1?$/.test(given)) || (letter === "K" && given === "2");
  return whole === "\r";
}

function bounded(pieces) {
  const shown = [];
  let room = LONGEST;
  let rest = 0;
  for (const piece of pieces) {
    if (room > 0) shown.push({ ...piece, text: piece.text.slice(0, room) });
    rest += Math.max(0, piece.text.length - room);
    room = Math.max(0, room - piece.text.length);
  }
  return { pieces: shown, rest };
}

// SGR: the colours of a terminal, told by the nearest of the portal's own.

const COLOURS = ["", "red", "green", "yellow", "blue", "magenta", "cyan", ""];
const ON = { 1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "strike" };
const OFF = { 22: ["bold", "dim"], 23: ["italic"], 24: ["underline"], 27: ["inverse"], 29: ["strike"] };

function dress(style, given) {
  if (/[<=>?]/.test(given)) return;
  const codes = given.split(";").slice(0, MOST_CODES);
  for (let at = 0; at < codes.length; at += 1) {
    const [code, ...below] = codes[at].split(":").map(Number);
    if (code === 38 || code === 48) {
      const told = below.length ? below : codes.slice(at + 1).map(Number);
      if (!below.length) at += told[0] === 5 ? 2 : 4;
      style[code === 38 ? "front" : "back"] = extended(told, code === 48);
    } else {
      wear(style, code, below);
    }
  }
}

function wear(style, code, below) {
  if (code === 0) Object.keys(style).forEach((name) => delete style[name]);
  else if (code === 4 && below[0] === 0) delete style.underline;
  else if (ON[code]) style[ON[code]] = true;
  else if (OFF[code]) OFF[code].forEach((name) => delete style[name]);
  else if (code === 39) delete style.front;
  else if (code === 49) delete style.back;
  else if (code >= 30 && code < 38) style.front = COLOURS[code - 30];
  else if (code >= 90 && code < 98) style.front = code === 90 ? "grey" : COLOURS[code - 90];
  else if (code >= 40 && code < 48) style.back = COLOURS[code - 40] || "grey";
  else if (code >= 100 && code < 108) style.back = COLOURS[code - 100] || "grey";
}

// `5;n` of the palette of 256, or `2;r;g;b`; with colons there may be a colour space in between.
function extended(told, isBack) {
  if (told[0] === 5) return palette(told[1], isBack);
  return nearest(told.length === 5 ? told.slice(2) : told.slice(1, 4), isBack);
}

function palette(number, isBack) {
  if (!(number >= 0 && number < 256)) return "";
  if (number < 16) return COLOURS[number % 8] || (isBack || number === 8 ? "grey" : "");
  if (number > 231) return nearest(Array(3).fill(8 + 10 * (number - 232)), isBack);
  const step = (of) => [0, 95, 135, 175, 215, 255][Math.floor((number - 16) / of) % 6];
  return nearest([step(36), step(6), step(1)], isBack);
}

function nearest([red, green, blue], isBack) {
  const most = Math.max(red, green, blue);
  const spread = most - Math.min(red, green, blue);
  if (!(spread >= 40)) return isBack || (most > 60 && most < 190) ? "grey" : "";
  let hue = 60 * ((red - green) / spread + 4);
  if (most === red) hue = (60 * ((green - blue) / spread) + 360) % 360;
  else if (most === green) hue = 60 * ((blue - red) / spread + 2);
  const ends = [[20, "red"], [70, "yellow"], [165, "green"], [200, "cyan"], [260, "blue"], [330, "magenta"]];
  const found = ends.find(([end]) => hue < end);
  return found ? found[1] : "red";
}

function classesOf(style) {
  const [front, back] = style.inverse ? [style.back, style.front] : [style.front, style.back];
  const names = ["bold", "dim", "italic", "underline", "strike"].filter((name) => style[name]);
  if (front) names.push(front);
  if (back) names.push(`on-${back}`);
  else if (style.inverse) names.push("inverse");
  return names.map((name) => `log-${name}`).join(" ");
}

// What is searched for, as it is: no expression, and in any case. Null for nothing.
export function patternOf(query) {
  return query ? new RegExp(query.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "giu") : null;
}

// Cuts pieces where what is searched for begins and ends: those within are `marked`.
export function mark(pieces, pattern) {
  const text = pieces.map((piece) => piece.text).join("");
  const found = pattern ? [...text.matchAll(pattern)].slice(0, MOST_MARKS) : [];
  if (!found.length) return pieces;
  const cuts = found.flatMap((one) => [one.index, one.index + one[0].length]);
  const result = [];
  let at = 0;
  let passed = 0;
  for (const piece of pieces) {
    const last = at + piece.text.length;
    while (at < last) {
      while (cuts[passed] <= at) passed += 1;
      const end = Math.min(last, cuts[passed] ?? last);
      result.push({ ...piece, text: text.slice(at, end), marked: passed % 2 === 1 });
      at = end;
    }
  }
  return result;
}
