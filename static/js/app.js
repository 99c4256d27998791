/* What the pages do beyond links and forms: copy, theme, keys, dialogs, toasts, local times, samples, manners of
   htmx. No framework, no inline code. Everything here is an addition: each page works without it. */
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const say = (key) => $("#words")?.dataset[key] ?? "";
  const language = document.documentElement.lang || undefined;

  /* ---- toasts: HX-Trigger {"toast": {"message": "…", "tone": "live"}}, or a .toast that an answer appends ---- */
  function toast(message, tone = "live") {
    const box = document.createElement("div");
    box.className = "toast";
    box.dataset.tone = tone;
    box.append(Object.assign(document.createElement("span"), { textContent: message }));
    $("#toasts")?.append(box);
    settle(box);
  }
  function settle(box) {
    const close = Object.assign(document.createElement("button"), { type: "button", className: "close", textContent: "×" });
    close.setAttribute("aria-label", say("close"));
    close.addEventListener("click", () => box.remove());
    box.append(close);
    if (box.dataset.tone !== "fail") setTimeout(() => box.remove(), 8000);
  }
  document.addEventListener("toast", (event) => toast(event.detail.message ?? event.detail.value, event.detail.tone));

  /* ---- copy ---- */
  async function copy(button) {
    const source = $(button.dataset.copy);
    const label = button.dataset.label ?? (button.dataset.label = button.textContent);
    let said = say("copied");
    try {
      await navigator.clipboard.writeText((source.value ?? source.textContent).trim());
    } catch {
      said = say("copyFailed");
      getSelection()?.selectAllChildren(source);
      toast(said, "hold");
    }
    button.textContent = said.split(":")[0];
    announce(said);
    setTimeout(() => { button.textContent = label; }, 2000);
  }
  function announce(text) {
    let region = $("#announce");
    if (!region) {
      region = Object.assign(document.createElement("div"), { id: "announce", className: "sr" });
      region.setAttribute("role", "status");
      document.body.append(region);
    }
    region.textContent = "";
    requestAnimationFrame(() => { region.textContent = text; });
  }

  /* ---- theme: a cookie, so that the server renders it and nothing flashes ---- */
  function setTheme(theme) {
    const root = document.documentElement;
    if (theme) root.dataset.theme = theme; else delete root.dataset.theme;
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `gatehouse_theme=${theme}; Path=/; SameSite=Lax${secure}; Max-Age=${theme ? 31536000 : 0}`;
    $$("[data-set-theme]").forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.setTheme === theme)));
    document.dispatchEvent(new Event("gatehouse:theme"));
  }

  /* ---- dialogs and menus ---- */
  function openDialog(id) {
    const dialog = document.getElementById(id);
    if (!dialog?.showModal || dialog.open) return Boolean(dialog?.open);
    dialog.showModal();
    $("[autofocus], .body :is(input:not([type=hidden]), select, textarea)", dialog)?.focus();
    return true;
  }
  document.addEventListener("click", (event) => {
    const target = event.target;
    const hit = (selector) => target.closest?.(selector);
    if (hit("[data-copy]")) return void copy(hit("[data-copy]"));
    if (hit("[data-set-theme]")) return setTheme(hit("[data-set-theme]").dataset.setTheme);
    if (hit("[data-dialog]") && openDialog(hit("[data-dialog]").dataset.dialog)) event.preventDefault();
    if (hit("[data-close]")) hit("dialog")?.close();
    if (target.nodeName === "DIALOG" && outside(target, event)) target.close();
    if (hit("[role=tab][data-lang]")) chooseLanguage(hit("[role=tab]").dataset.lang);
    $$("[data-menu][open]").filter((menu) => !menu.contains(target)).forEach((menu) => { menu.open = false; });
  });
  function outside(dialog, event) {
    const box = dialog.getBoundingClientRect();
    return event.clientX < box.left || event.clientX > box.right || event.clientY < box.top || event.clientY > box.bottom;
  }

  /* A choice that answers at once; the button beside it does the same without this script. */
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
  });

  /* ---- keys: "/" search, "?" help, data-key="a" presses the control that bears it ---- */
  const keysOff = () => localStorage.getItem("gatehouse-keys") === "off";
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const menu = event.target.closest?.("[data-menu][open]");
      if (menu) { menu.open = false; $("summary", menu).focus(); }
    }
    if (event.target.matches?.("[role=tab][data-lang]")) return moveTab(event);
    const typing = event.target.closest?.("input, select, textarea, [contenteditable=true], dialog[open]");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || keysOff()) return;
    const wanted = event.key === "/" ? $("[data-search]") : event.key === "?" ? $("#keys") : keyed(event.key);
    if (!wanted) return;
    event.preventDefault();
    if (event.key === "/") wanted.focus();
    else if (event.key === "?") openDialog("keys");
    else wanted.click();
  });
  const keyed = (key) => $$("[data-key]").find((control) => control.dataset.key === key && control.checkVisibility());
  function listKeys() {
    const list = $("[data-page-keys]");
    const controls = $$("main [data-key]");
    if (!list) return;
    list.replaceChildren(...controls.flatMap((control) => {
      const name = document.createElement("dt");
      const key = document.createElement("dd");
      name.textContent = control.dataset.keyLabel ?? control.firstChild.textContent.trim();
      key.append(Object.assign(document.createElement("kbd"), { textContent: control.dataset.key }));
      return [name, key];
    }));
    list.hidden = controls.length === 0;
  }

  /* ---- code samples: one language for the whole site ---- */
  function chooseLanguage(chosen) {
    localStorage.setItem("gatehouse-language", chosen);
    showLanguage();
  }
  function showLanguage(root = document) {
    const remembered = localStorage.getItem("gatehouse-language");
    $$("[data-samples]", root).forEach((samples) => {
      const tabs = $$("[role=tab]", samples);
      const current = tabs.find((tab) => tab.dataset.lang === remembered) ?? tabs[0];
      tabs.forEach((tab) => { tab.setAttribute("aria-selected", String(tab === current)); tab.tabIndex = tab === current ? 0 : -1; });
      $$("div[data-lang]", samples).forEach((panel) => {
        panel.hidden = panel.dataset.lang !== current?.dataset.lang;
        panel.setAttribute("role", "tabpanel");
        panel.setAttribute("aria-labelledby", `${samples.id}-tab-${panel.dataset.lang}`);
      });
      $("[role=tablist]", samples).hidden = tabs.length < 2;
    });
  }
  function moveTab(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const tabs = $$("[role=tab]", event.target.parentElement);
    const next = tabs[(tabs.indexOf(event.target) + step + tabs.length) % tabs.length];
    chooseLanguage(next.dataset.lang);
    next.focus();
    event.preventDefault();
  }

  /* ---- times: written in UTC, read in the zone of the reader ---- */
  const clock = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
  const shapes = {
    clock,
    exact: { ...clock, fractionalSecondDigits: 3 },
    date: { dateStyle: "medium" },
    day: { dateStyle: "medium", timeZone: "UTC" },
    datetime: { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
  };
  const steps = [["year", 31536000], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const words = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
  function localise(root = document) {
    $$("time[data-form]", root).forEach((time) => {
      const moment = new Date(time.dateTime);
      time.textContent = time.dataset.form === "relative" ? relative(moment) : new Intl.DateTimeFormat(language, shapes[time.dataset.form]).format(moment);
    });
  }
  function relative(moment) {
    const distance = (moment - Date.now()) / 1000;
    const [unit, size] = steps.find(([, seconds]) => Math.abs(distance) >= seconds) ?? ["second", 1];
    return Math.abs(distance) < 10 ? words.format(0, "second") : words.format(Math.trunc(distance / size), unit).replaceAll(".", "");
  }

  /* ---- htmx: token, polls rest in a hidden tab, focus after a swap, failures are said ---- */
  const body = document;
  body.addEventListener("htmx:configRequest", ({ detail }) => {
    const token = $("meta[name=csrf-token]")?.content;
    if (token) detail.headers["X-CSRFToken"] = token;
  });
  body.addEventListener("htmx:beforeRequest", (event) => {
    const poll = !event.detail.requestConfig.triggeringEvent;
    if (poll && document.hidden) event.preventDefault();
  });
  /* What the reader has opened stays open over a swap, by its id; htmx itself keeps the focus on what has one. */
  let opened = [];
  body.addEventListener("htmx:beforeSwap", ({ detail }) => {
    opened = $$("details[id][open]", detail.target).map((details) => [details.id, $(".table", details)?.scrollTop ?? 0]);
  });
  /* At once: until htmx has settled, the page would be drawn with all of it closed. */
  body.addEventListener("htmx:afterSwap", () => {
    opened.splice(0).forEach(([id, scrolled]) => {
      const details = document.getElementById(id);
      if (!details) return;
      details.open = true;
      const table = $(".table", details);
      if (table) table.scrollTop = scrolled;
    });
  });
  /* The same for what comes along out of band. */
  body.addEventListener("htmx:oobBeforeSwap", ({ detail }) => {
    $$("details[id][open]", detail.target).forEach((details) => {
      detail.fragment.querySelector(`#${CSS.escape(details.id)}`)?.setAttribute("open", "");
    });
  });
  body.addEventListener("htmx:afterSettle", (event) => {
    const root = event.detail.elt;
    refresh(root.isConnected ? root : document);
    if (event.detail.requestConfig?.triggeringEvent?.type !== "submit" && event.detail.requestConfig?.triggeringEvent?.type !== "click") return;
    const named = root.matches?.("[data-focus]") ? root : $("[data-focus]", root);
    if (!named) return;
    named.tabIndex = -1;
    named.focus();
  });
  body.addEventListener("htmx:responseError", ({ detail }) => {
    const status = detail.xhr.status;
    const key = status === 404 ? "gone" : status === 429 ? "slow" : "failed";
    if (detail.requestConfig.triggeringEvent) toast(say(key).replace("{status}", status), "fail");
  });
  body.addEventListener("htmx:sendError", ({ detail }) => {
    if (detail.requestConfig.triggeringEvent) toast(say("offline"), "fail");
  });
  new MutationObserver((changes) => changes.flatMap((change) => [...change.addedNodes])
    .filter((node) => node.matches?.(".toast") && !$(".close", node)).forEach(settle)).observe($("#toasts"), { childList: true });

  /* A table that scrolls sideways must be reachable by keyboard; one that fits must not be a stop. */
  function reachable() {
    $$(".table, .scroll").forEach((box) => {
      if (box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    });
  }
  addEventListener("resize", reachable);
  document.addEventListener("toggle", reachable, true);

  /* allauth: a passkey that was refused or not found */
  document.addEventListener("allauth.error", (event) => {
    event.preventDefault();
    toast(say("passkey"), "fail");
  });

  function refresh(root = document) {
    localise(root);
    reachable();
    showLanguage(root);
    listKeys();
    $$("dialog[data-open]", root).forEach((dialog) => openDialog(dialog.id));
  }
  $$("[data-theme-switch]").forEach((control) => { control.hidden = false; });
  const keysSwitch = $("[data-keys-switch]");
  if (keysSwitch) {
    keysSwitch.checked = !keysOff();
    keysSwitch.addEventListener("change", () => localStorage.setItem("gatehouse-keys", keysSwitch.checked ? "on" : "off"));
  }
  refresh();
  setInterval(() => { if (!document.hidden) localise(); }, 10000);
})();
