/* The page that shows a new key once: fills $KEY in the code samples, in the browser only. The samples arrive by
   htmx, so they are filled when they settle; the copy buttons then copy what really runs. */
(() => {
  "use strict";
  const PLACEHOLDER = "$KEY";

  function fill(box) {
    const key = document.querySelector(box.dataset.fillKey)?.textContent.trim();
    if (!key) return;
    const texts = document.createTreeWalker(box, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const text = texts.currentNode;
      if (text.data.includes(PLACEHOLDER)) text.data = text.data.replaceAll(PLACEHOLDER, key);
    }
  }
  const fillAll = () => document.querySelectorAll("[data-fill-key]").forEach(fill);
  document.addEventListener("htmx:afterSettle", fillAll);
  fillAll();
})();
