// What is opened is kept for "recently seen": the page says what it is, the portal keeps it.
"use strict";
(function () {
  const seen = document.querySelector("[data-visit-path]");
  if (!seen || document.prerendering) return;
  const token = JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRF-Token"];
  const { visitPath, visitTitle, visitRef } = seen.dataset;
  fetch("/me/visits", {
    method: "POST",
    keepalive: true,
    headers: { "X-CSRF-Token": token },
    body: new URLSearchParams({ path: visitPath, title: visitTitle, ref: visitRef || "" }),
  }).catch(() => {});
})();
