// Lines as they are written: an EventSource while the page is seen, and again after a refusal.
const AGAIN = 5000;

export class Stream {
  // `told`: lines(first, lines), end(answer), state("on" | "off"); `after` gives the last line.
  constructor(address, after, told) {
    this.address = address;
    this.after = after;
    this.told = told;
    this.source = null;
    this.timer = 0;
    this.done = false;
    document.addEventListener("visibilitychange", () => this.settle());
    window.addEventListener("pagehide", () => this.close());
    window.addEventListener("pageshow", (event) => { if (event.persisted) this.settle(); });
    this.settle();
  }

  // A hidden page listens to nothing: a browser keeps few connections to a server.
  settle() {
    if (this.done || document.hidden) this.close();
    else if (!this.source) this.listen();
  }

  listen() {
    clearTimeout(this.timer);
    const source = new EventSource(`${this.address}/stream?after=${this.after()}`);
    this.source = source;
    source.addEventListener("open", () => this.told.state("on"));
    source.addEventListener("lines", (event) => {
      const { first, lines } = JSON.parse(event.data);
      this.told.lines(first, lines);
    });
    source.addEventListener("end", (event) => {
      this.done = true;
      this.close();
      this.told.end(JSON.parse(event.data));
    });
    source.addEventListener("error", () => {
      this.told.state("off");
      // A refusal ends an EventSource for good; a lost connection it mends by itself.
      if (source.readyState !== EventSource.CLOSED) return;
      this.close();
      this.timer = setTimeout(() => this.settle(), AGAIN);
    });
  }

  close() {
    clearTimeout(this.timer);
    if (this.source) this.source.close();
    this.source = null;
  }
}
