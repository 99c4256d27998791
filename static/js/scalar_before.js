/* Loaded before Scalar, on pages of the API reference only. Scalar writes its styles as <style> elements and style
   attributes and probes for eval; the CSP refuses all three. Its styles are adopted as constructed sheets and set through
   the CSSOM instead (no markup, so nothing for the CSP to refuse); its validator is told to do without eval. */
(() => {
  "use strict";
  globalThis.__zod_globalConfig = { jitless: true };

  const setAttribute = Element.prototype.setAttribute;
  Element.prototype.setAttribute = function (name, value) {
    if (name === "style") this.style.cssText = value;
    else setAttribute.call(this, name, value);
  };
  /* Icons come as markup with style attributes: parse them under another name, then set them. */
  const markup = Object.getOwnPropertyDescriptor(Element.prototype, "innerHTML");
  const styled = /(<[a-z][^<>]*?\s)style(\s*=)/gi;
  Object.defineProperty(Element.prototype, "innerHTML", {
    ...markup,
    set(html) {
      markup.set.call(this, String(html).replace(styled, "$1data-css$2"));
      const root = this instanceof HTMLTemplateElement ? this.content : this;
      for (const element of root.querySelectorAll("[data-css]")) {
        element.style.cssText = element.dataset.css;
        element.removeAttribute("data-css");
      }
    },
  });

  const sheets = new Map();
  function adopt(style) {
    if (!sheets.has(style)) {
      sheets.set(style, new CSSStyleSheet());
      document.adoptedStyleSheets.push(sheets.get(style));
    }
    sheets.get(style).replaceSync(style.textContent);
  }
  for (const method of ["appendChild", "insertBefore", "append", "prepend"]) {
    const owner = method in Node.prototype ? Node.prototype : Element.prototype;
    const original = owner[method];
    owner[method] = function (...nodes) {
      if (nodes[0] instanceof HTMLStyleElement) return adopt(nodes[0]), nodes[0];
      const answer = original.apply(this, nodes);
      if (sheets.has(this)) adopt(this);
      return answer;
    };
  }
})();
