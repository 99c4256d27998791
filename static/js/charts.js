/* Charts: <figure data-chart="stacked|lines|spark"> holding its numbers as JSON (c-chart). ECharts, SVG renderer,
   colours from the tokens, drawn again when the theme changes or htmx brings new numbers. With a `currency`, values are
   billionths of it, and little is never shown as nothing. */
(() => {
  "use strict";
  const drawn = new Map();
  const language = document.documentElement.lang || undefined;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

  /* A token as a colour: light-dark() is only resolved by the browser where it is used. */
  function colour(token) {
    const probe = document.createElement("i");
    probe.style.color = `var(--${token})`;
    document.body.append(probe);
    const value = getComputedStyle(probe).color;
    probe.remove();
    return value;
  }
  const tokenOf = (tone) => (tone === "neutral" ? "ink-2" : tone || "accent");
  const number = new Intl.NumberFormat(language, { maximumFractionDigits: 2 });
  const short = new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 1 });
  const cash = new Intl.NumberFormat(language, { maximumSignificantDigits: 4, maximumFractionDigits: 9 });
  const scaled = (value, data) => (data.currency && value != null ? value / 1e9 : value);
  const shown = (value, data, format) => (data.currency ? cash : format).format(value);

  function moment(value, span) {
    const shape = span > 172800000 ? { day: "numeric", month: "short" } : { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
    return new Intl.DateTimeFormat(language, { ...shape, timeZone: zone }).format(new Date(value));
  }
  const exact = new Intl.DateTimeFormat(language, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

  function series(kind, data) {
    return data.series.map((row) => {
      const ink = colour(tokenOf(row.tone));
      const values = row.values.map((value, index) => [data.times[index], scaled(value, data)]);
      if (kind === "stacked") {
        return { type: "bar", stack: "all", name: row.name, data: values.map(([at, value]) => [at, value || null]), color: ink, barCategoryGap: "18%", barMaxWidth: 26, barMinHeight: 1 };
      }
      return {
        type: "line", name: row.name, data: values, color: ink, showSymbol: values.filter(([, value]) => value != null).length * 2 < values.length, symbolSize: 5, connectNulls: false,
        smooth: 0.25, smoothMonotone: "x", lineStyle: { width: 1.8, type: row.dash ? "dashed" : "solid" },
        areaStyle: data.series.length === 1 ? { color: ink, opacity: 0.1 } : undefined,
      };
    });
  }
  function tooltip(data, ink) {
    return {
      trigger: "axis", confine: true, backgroundColor: ink.raise, borderColor: ink.line, padding: [9, 12],
      textStyle: { color: ink.text, fontSize: 13, fontFamily: ink.font }, axisPointer: { type: "line", lineStyle: { color: ink.edge, width: 1 } },
      formatter: (rows) => label(rows, data),
    };
  }
  /* The tooltip as nodes: markup in a string would need inline styles and escaping. */
  function label(rows, data) {
    const box = document.createElement("div");
    const at = Object.assign(document.createElement("div"), { className: "k", textContent: exact.format(new Date(rows[0].value[0])) });
    const list = Object.assign(document.createElement("dl"), { className: "pairs split" });
    rows.filter((row) => row.value[1] != null).reverse().forEach((row) => {
      const tone = data.series[row.seriesIndex].tone;
      const name = Object.assign(document.createElement("dt"), { textContent: row.seriesName });
      if (tone) name.dataset.tone = tone;
      list.append(name, Object.assign(document.createElement("dd"), { textContent: `${shown(row.value[1], data, number)} ${data.unit ?? ""}` }));
    });
    box.append(at, list);
    return box;
  }
  function option(kind, data) {
    const ink = { text: colour("ink"), soft: colour("ink-3"), line: colour("line"), raise: colour("raise"), edge: colour("edge"), font: getComputedStyle(document.body).fontFamily };
    const spark = kind === "spark";
    const span = new Date(data.times.at(-1)) - new Date(data.times[0]);
    const text = { color: ink.soft, fontSize: 12.5, fontFamily: ink.font };
    return {
      animation: false, useUTC: true, aria: { enabled: false }, textStyle: { fontFamily: ink.font },
      grid: spark ? { left: 0, right: 0, top: 6, bottom: 2 } : { left: 2, right: 6, top: 12, bottom: 2, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
      tooltip: tooltip(data, ink),
      xAxis: { type: "time", show: !spark, boundaryGap: kind === "stacked" ? ["1%", "1%"] : false, axisLine: { lineStyle: { color: ink.line } }, axisTick: { show: false }, splitLine: { show: false }, splitNumber: 6, axisLabel: { ...text, hideOverlap: true, formatter: (value) => moment(value, span) } },
      yAxis: { type: "value", show: true, splitNumber: spark ? 2 : 4, min: 0, axisLine: { show: false }, axisTick: { show: false }, splitLine: { lineStyle: { color: ink.line } }, axisLabel: spark ? { show: false } : { ...text, formatter: (value) => shown(value, data, short) } },
      series: series(kind, data),
    };
  }

  function draw(figure) {
    const plot = figure.querySelector(".chart-plot");
    const data = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
    if (!data?.times?.length) return;
    const old = drawn.get(plot);
    const chart = old ?? window.echarts.init(plot, null, { renderer: "svg" });
    chart.setOption(option(figure.dataset.chart, data), true);
    if (!old) { drawn.set(plot, chart); resizer.observe(plot); }
  }
  const resizer = new ResizeObserver((entries) => entries.forEach(({ target }) => drawn.get(target)?.resize()));
  function drawAll() {
    for (const [plot, chart] of drawn) {
      if (!plot.isConnected) { chart.dispose(); drawn.delete(plot); resizer.unobserve(plot); }
    }
    document.querySelectorAll("figure[data-chart]").forEach(draw);
  }
  document.addEventListener("htmx:afterSettle", drawAll);
  document.addEventListener("gatehouse:theme", drawAll);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  document.fonts.ready.then(drawAll);
})();
