/* The page that shows a new key once: puts the key into the code samples, in the browser only, where they name a
   variable. The samples arrive by htmx, so they are filled when they settle; the copy buttons then copy what runs.
   A key is letters and digits, so it needs no quoting of its own. */
(() => {
  "use strict";
  const quoted = (key) => `"${key}"`;
  const PLACES = [
    ["import os\n\n", () => ""],
    ['os.environ["KEY"]', quoted],
    ["process.env.KEY", quoted],
    ["$KEY", (key) => key],
  ];

  function fill(box) {
    const key = document.querySelector(box.dataset.fillKey)?.textContent.trim();
    if (!/^[0-9A-Za-z]+$/.test(key ?? "")) return;
    box.querySelectorAll("pre").forEach((sample) => {
      const text = PLACES.reduce((code, [place, put]) => code.replaceAll(place, put(key)), sample.textContent);
      if (text !== sample.textContent) sample.textContent = text;
    });
  }
  const fillAll = () => document.querySelectorAll("[data-fill-key]").forEach(fill);
  document.addEventListener("htmx:afterSettle", fillAll);
  fillAll();
})();
