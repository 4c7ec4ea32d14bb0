// Draws diagrams in a page of its own that has no origin: what it draws is given back as the text
// of a picture and is never part of the portal's page.
"use strict";
(function () {
  const place = document.getElementById("place");
  let turn = Promise.resolve();

  function configure(colours, dark) {
    mermaid.initialize({
      startOnLoad: false,
      securityLevel: "strict",
      theme: "base",
      htmlLabels: false,
      flowchart: { htmlLabels: false, useMaxWidth: false },
      sequence: { useMaxWidth: false },
      maxTextSize: 50000,
      maxEdges: 500,
      fontFamily: "system-ui, sans-serif",
      themeVariables: { darkMode: dark, ...colours },
    });
  }

  async function draw(request) {
    configure(request.colours, request.dark);
    try {
      const { svg } = await mermaid.render(`d${request.number}`, request.text, place);
      return { number: request.number, svg };
    } catch (error) {
      return { number: request.number, error: String(error.message || error).slice(0, 500) };
    } finally {
      place.replaceChildren();
    }
  }

  addEventListener("message", (event) => {
    if (event.source !== parent) return;
    turn = turn.then(() => draw(event.data)).then((answer) => parent.postMessage(answer, "*"));
  });
  parent.postMessage({ ready: true }, "*");
})();
