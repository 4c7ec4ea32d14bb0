// What makes documentation quicker to read: tabs in place of stacked parts, where one is on the
// page, copies of code, diagrams. Everything reads without it.
const article = document.getElementById("doc-article");
if (article) {
  followOldAnchor();
  article.querySelectorAll(".tab-set").forEach(makeTabs);
  article.querySelectorAll(".code").forEach(addCopy);
  followReading();
  if (article.dataset.diagrams) drawDiagrams();
}

// Links from outside name headings as other tools do, without the portal's beginning.
function followOldAnchor() {
  const name = decodeURIComponent(location.hash.slice(1));
  if (name && !document.getElementById(name)) document.getElementById(`doc-${name}`)?.scrollIntoView();
}

function makeTabs(set, number) {
  const parts = [...set.children].filter((child) => child.matches("details.tab"));
  if (parts.length < 2) return;
  const panels = parts.map(makePanel);
  const list = document.createElement("div");
  list.setAttribute("role", "tablist");
  const tabs = panels.map((panel, index) => {
    const tab = document.createElement("button");
    tab.type = "button";
    tab.id = `doc-tab-${number}-${index}`;
    tab.setAttribute("role", "tab");
    tab.textContent = panel.firstElementChild.textContent;
    panel.id = `doc-panel-${number}-${index}`;
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tab.id);
    tab.setAttribute("aria-controls", panel.id);
    tab.addEventListener("click", () => choose(index));
    list.append(tab);
    return tab;
  });
  function choose(chosen) {
    tabs.forEach((tab, index) => {
      tab.setAttribute("aria-selected", String(index === chosen));
      tab.tabIndex = index === chosen ? 0 : -1;
      panels[index].hidden = index !== chosen;
    });
  }
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = (tabs.indexOf(document.activeElement) + step + tabs.length) % tabs.length;
    choose(next);
    tabs[next].focus();
    event.preventDefault();
  });
  set.prepend(list);
  set.dataset.ready = "";
  choose(0);
}

// The name stays at the head of the panel: on paper all are shown, one below the other.
function makePanel(part) {
  const panel = document.createElement("div");
  const name = document.createElement("p");
  panel.className = "tab";
  name.className = "tab-name";
  name.textContent = part.querySelector("summary").textContent;
  part.querySelector("summary").remove();
  panel.append(name, ...part.childNodes);
  part.replaceWith(panel);
  return panel;
}

function addCopy(block) {
  const code = block.querySelector("code");
  const words = document.getElementById("doc-words")?.dataset;
  if (!code || !words || !navigator.clipboard) return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn btn-s doc-copy";
  button.textContent = words.copy;
  button.addEventListener("click", async () => {
    const lines = code.cloneNode(true);
    lines.querySelectorAll("i").forEach((count) => count.remove());
    await navigator.clipboard.writeText(lines.textContent);
    const say = document.getElementById("say");
    if (say) say.textContent = words.copied;
    button.textContent = words.copied;
    setTimeout(() => (button.textContent = words.copy), 2000);
  });
  block.append(button);
}

function followReading() {
  const links = new Map();
  document.querySelectorAll("#doc-outline a").forEach((link) => {
    const heading = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    if (heading) links.set(heading, link);
  });
  if (!links.size) return;
  const observer = new IntersectionObserver((entries) => {
    const entry = entries.find((item) => item.isIntersecting);
    if (!entry) return;
    links.forEach((link) => link.removeAttribute("aria-current"));
    links.get(entry.target).setAttribute("aria-current", "true");
  }, { rootMargin: "-56px 0px -70% 0px" });
  links.forEach((_link, heading) => observer.observe(heading));
}

// Diagrams are drawn by a frame without an origin, and shown as pictures: nothing of them is ever
// part of this page. The frame is loaded when the first one comes near.
function drawDiagrams() {
  const words = document.getElementById("doc-words").dataset;
  const sources = [...article.querySelectorAll("pre.diagram")];
  const drawn = new Map();
  let frame = null;
  let ready = false;

  function ask(number) {
    const request = { number, text: sources[number].textContent, ...theme() };
    frame.contentWindow.postMessage(request, "*");
  }

  function begin() {
    if (frame) return;
    frame = document.createElement("iframe");
    frame.className = "doc-frame";
    frame.setAttribute("sandbox", "allow-scripts");
    frame.setAttribute("aria-hidden", "true");
    frame.tabIndex = -1;
    frame.title = words.diagram;
    frame.src = article.dataset.diagrams;
    article.after(frame);
  }

  function show(number, svg) {
    const source = sources[number];
    let figure = drawn.get(number);
    if (!figure) {
      figure = document.createElement("figure");
      figure.className = "doc-diagram";
      figure.tabIndex = 0;
      const details = document.createElement("details");
      const summary = document.createElement("summary");
      summary.textContent = words.source;
      source.replaceWith(figure);
      details.append(summary, source);
      figure.append(document.createElement("img"), details);
      drawn.set(number, figure);
    }
    const picture = figure.querySelector("img");
    picture.alt = `${words.diagram}: ${source.textContent.trim().split("\n")[0]}`;
    const size = svg.match(/viewBox="[-\d.]+ [-\d.]+ ([\d.]+) ([\d.]+)"/);
    if (size) picture.width = Math.ceil(size[1]);
    picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  }

  addEventListener("message", (event) => {
    if (!frame || event.source !== frame.contentWindow) return;
    if (event.data.ready) {
      ready = true;
      sources.forEach((_source, number) => ask(number));
    } else if (typeof event.data.svg === "string" && sources[event.data.number]) {
      show(event.data.number, event.data.svg);
    }
  });
  new MutationObserver(() => ready && sources.forEach((_source, number) => ask(number))).observe(
    document.documentElement,
    { attributeFilter: ["data-theme"] },
  );
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    begin();
  }, { rootMargin: "600px" });
  sources.forEach((source) => observer.observe(source));
}

function theme() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    dark: style.colorScheme === "dark",
    colours: {
      background: colour("bg"),
      primaryColor: colour("bg-sub"),
      primaryTextColor: colour("fg"),
      primaryBorderColor: colour("line-ctl"),
      secondaryColor: colour("bg-inset"),
      tertiaryColor: colour("bg-sub"),
      lineColor: colour("fg-3"),
      textColor: colour("fg"),
      noteBkgColor: colour("warn-bg"),
      noteTextColor: colour("fg"),
      noteBorderColor: colour("warn"),
      fontSize: "14px",
    },
  };
}
