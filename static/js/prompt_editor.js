/* The run panel of the prompt editor: one column per model, streamed from the AI runtime straight to this page.
   The portal hands out a ticket; the prompt that goes with it is the form as it stands, read by the portal itself, so
   that what is run is what "What is sent" shows. Texts come from data attributes, translated by the page. */
(() => {
  "use strict";
  let running = null;

  document.addEventListener("click", (event) => {
    const panel = event.target.closest?.("[data-run]");
    if (!panel) return;
    if (event.target.closest("[data-start]")) run(panel);
    if (event.target.closest("[data-stop]")) running?.abort();
  });

  async function run(panel) {
    const models = [...panel.querySelectorAll("[data-model]:checked")];
    const columns = panel.querySelector("[data-columns]");
    columns.replaceChildren();
    if (models.length === 0) return say(panel, panel.dataset.none);
    running?.abort();
    const own = running = new AbortController();
    show(panel, true);
    say(panel, panel.dataset.running);
    const shown = models.map((model) => column(columns, model.dataset.name, "toy" in model.dataset ? panel.dataset.toy : ""));
    try {
      const payload = await asItStands(panel, own.signal);
      const ticket = await ticketOf(panel, own.signal);
      await Promise.all(models.map((model, number) =>
        stream(panel, ticket, { ...payload, model: model.dataset.model }, shown[number], own.signal)));
      say(panel, panel.dataset.done);
    } catch (error) {
      say(panel, error.name === "AbortError" ? "" : error.told ?? panel.dataset.unreached);
    } finally {
      if (running === own) show(panel, false);
    }
  }

  function show(panel, isRunning) {
    panel.querySelector("[data-stop]").hidden = !isRunning;
    panel.querySelector("[data-start]").hidden = isRunning;
  }
  function say(panel, text) {
    panel.querySelector("[data-said]").textContent = text;
  }

  /* ---- what is asked for ---- */
  const token = () => ({ "X-CSRFToken": document.querySelector("meta[name=csrf-token]")?.content ?? "" });

  async function asItStands(panel, signal) {
    const body = new URLSearchParams(new FormData(document.getElementById("prompt-form")));
    const answer = await fetch(panel.dataset.preview, { method: "POST", body, headers: token(), signal });
    if (!answer.ok) throw await told(answer);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    return JSON.parse(page.getElementById("prompt-payload").textContent);
  }
  async function ticketOf(panel, signal) {
    const body = new URLSearchParams({ prompt: panel.dataset.prompt });
    const answer = await fetch(panel.dataset.ticket, { method: "POST", body, headers: token(), signal });
    if (!answer.ok) throw await told(answer);
    return answer.json();
  }
  async function told(answer) {
    const problem = await answer.json().catch(() => ({}));
    return Object.assign(new Error("refused"), { told: problem.detail });
  }

  /* ---- one column ---- */
  function column(parent, name, remark) {
    const box = element("section", "run-column", parent);
    const head = element("h3", "mono break", box);
    head.textContent = name;
    if (remark) element("p", "k", box).textContent = remark;
    const text = element("pre", "break", box);
    text.tabIndex = 0;
    text.setAttribute("aria-label", name);
    const facts = element("p", "k", box);
    facts.setAttribute("role", "status");
    return { box, text, facts };
  }
  function element(kind, classes, parent) {
    const made = Object.assign(document.createElement(kind), { className: classes });
    parent.append(made);
    return made;
  }

  async function stream(panel, ticket, body, shown, signal) {
    const began = performance.now();
    let first = 0;
    let ended = false;
    const words = panel.dataset;
    try {
      const answer = await fetch(`${ticket.url}/-/editor`, {
        method: "POST",
        headers: { Authorization: `Bearer ${ticket.ticket}`, Accept: "text/event-stream", "Content-Type": "application/json" },
        body: JSON.stringify(body),
        signal,
      });
      if (!answer.ok) throw await told(answer);
      for await (const { name, data } of events(answer.body)) {
        if (name === "delta") {
          first ||= performance.now() - began;
          shown.text.append(data.text);
          shown.facts.textContent = `${seconds(first)} ${words.first}`;
        } else if (name === "done") {
          ended = true;
          shown.facts.textContent = factsOf(words, data, first);
        } else if (name === "error") {
          ended = true;
          fail(shown, data.detail);
        }
      }
      if (!ended) fail(shown, words.cut);
    } catch (error) {
      if (error.name !== "AbortError") fail(shown, error.told ?? words.unreached);
    }
  }
  function fail(shown, text) {
    shown.facts.className = "warn";
    shown.facts.textContent = text;
  }
  function factsOf(words, data, first) {
    const cost = data.cost?.amount ? `${data.cost.amount} ${data.cost.currency}` : words.unpriced;
    const model = data.model?.served ? ` · ${data.model.served}` : "";
    return `${seconds(first)} ${words.first} · ${data.usage?.total_tokens ?? 0} ${words.tokens} · ${cost}${model}`;
  }
  const seconds = (milliseconds) => `${(milliseconds / 1000).toFixed(2)} s`;

  /* ---- server-sent events (WHATWG HTML, section 9.2), as a POST answers them ---- */
  async function* events(body) {
    const decoder = new TextDecoder();
    const reader = body.getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      rest += (done ? decoder.decode() : decoder.decode(value, { stream: true })).replaceAll("\r\n", "\n");
      const parts = rest.split("\n\n");
      rest = parts.pop();
      for (const part of parts) {
        const event = eventOf(part);
        if (event) yield event;
      }
      if (done) return;
    }
  }
  function eventOf(text) {
    const fields = text.split("\n").map((line) => line.match(/^(event|data): ?(.*)$/)).filter(Boolean);
    const data = fields.filter(([, name]) => name === "data").map(([, , value]) => value).join("\n");
    if (!data) return null;
    return { name: fields.find(([, name]) => name === "event")?.[2] ?? "message", data: JSON.parse(data) };
  }
})();
