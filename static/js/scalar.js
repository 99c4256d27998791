/* The API reference (Scalar) in <div id="reference" class="reference" data-document="/…">. The document comes from
   our own origin only; an address is never read from the query string. Nothing is stored, nothing is sent elsewhere.
   More attributes: data-server and data-server-name (where "try it" calls), data-scheme, data-value, data-layout. */
(() => {
  "use strict";
  const mount = document.getElementById("reference");
  const url = new URL(mount.dataset.document, location.origin);
  if (url.origin !== location.origin) throw new Error("The API document must come from this site.");
  /* A person's own choice wins; otherwise it follows the system, also when that changes while the page is open. */
  const chosen = document.documentElement.dataset.theme || undefined;

  /* The scheme that the gateway asks for; with a key at hand the first call carries it. */
  function authentication({ scheme, value }) {
    if (!scheme) return undefined;
    return { preferredSecurityScheme: scheme, securitySchemes: value ? { [scheme]: { value, token: value } } : undefined };
  }

  window.Scalar.createApiReference(mount, {
    url: url.href,
    layout: mount.dataset.layout || "modern",
    theme: "none",
    forceDarkModeState: chosen,
    hideDarkModeToggle: true,
    withDefaultFonts: false,
    telemetry: false,
    proxyUrl: "",
    hideClientButton: true,
    agent: { disabled: true },
    mcp: { disabled: true },
    showDeveloperTools: "never",
    persistAuth: false,
    documentDownloadType: "none",
    servers: mount.dataset.server ? [{ url: mount.dataset.server, description: mount.dataset.serverName }] : undefined,
    authentication: authentication(mount.dataset),
    defaultHttpClient: { targetKey: "shell", clientKey: "curl" },
  });
})();
