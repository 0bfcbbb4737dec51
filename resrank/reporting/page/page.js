"use strict";
// All content comes from the JSON in #data. Text is set as textContent, never as HTML.
const DATA = JSON.parse(document.getElementById("data").textContent);
const element = (id) => document.getElementById(id);

function fill(select, pairs) {
  select.replaceChildren(...pairs.map(([value, text]) => new Option(text, value)));
}

function make(tag, className, text) {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

// Tables: numeric columns sort by number; missing values stay last.
const NUMBER = /^[<≤]?\s*([-+−]?[\d,]*\.?\d+(?:e[-+]?\d+)?)(?:$|[\s%[(±×*†‡])/i;
const MISSING = new Set(["", "–", "-", "nan"]);

function number(text) {
  const match = NUMBER.exec(text);
  return match ? Number(match[1].replace(/,/g, "").replace("−", "-")) : NaN;
}

function isNumeric(cells) {
  const present = cells.filter((text) => !MISSING.has(text));
  return present.length > 0 && present.every((text) => !Number.isNaN(number(text)));
}

function sortTable(table, column, descending) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const text = (row) => row.cells[column].textContent.trim();
  const numeric = isNumeric(rows.map(text));
  rows.sort((a, b) => {
    const [one, other] = [text(a), text(b)];
    const missing = MISSING.has(one) - MISSING.has(other);
    if (missing) return missing;
    const order = numeric ? number(one) - number(other) : one.localeCompare(other);
    return descending ? -order : order;
  });
  body.append(...rows);
}

function makeSortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  const rows = [...table.tBodies[0].rows];
  heads.forEach((head, column) => {
    const numeric = isNumeric(rows.map((row) => row.cells[column].textContent.trim()));
    if (numeric) [head, ...rows.map((row) => row.cells[column])].forEach((c) => c.classList.add("number"));
    head.addEventListener("click", () => {
      const current = head.getAttribute("aria-sort");
      const descending = current ? current === "ascending" : numeric;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      sortTable(table, column, descending);
    });
  });
}

document.querySelectorAll("table").forEach(makeSortable);
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => { d.open = true; }));

// The chart: plotly draws one trace per system, and a line through the Pareto front.
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#7f7f7f"];
const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "cross", "x", "star", "hexagon"];
const PLACES = new Map([...new Set(DATA.chart.rows.map((row) => row.system))].map((s, n) => [s, n]));
const FRONT = "not beaten on both axes";
const setOf = (row) => `${row.collection} over ${row.first_stage}`;

// A system without passage embeddings has one cost, which is used in both modes.
function cost(row, key, mode) {
  return row[`${key}_${mode}`] ?? row[`${key}_online`];
}

function front(points) {
  let best = -Infinity;
  return [...points].sort((a, b) => a.x - b.x || b.y - a.y).filter((p) => p.y > best && ((best = p.y), true));
}

function rounded(value) {
  return value == null ? "unknown" : Number(value.toPrecision(4)).toLocaleString("en");
}

function hover(row, mode) {
  const costs = Object.entries(DATA.chart.costs).map(([key, name]) => `${name}: ${rounded(cost(row, key, mode))}`);
  const scores = DATA.chart.metrics.map((metric) => `${metric}: ${row[metric]?.toFixed(4) ?? "–"}`);
  return [`<b>${escaped(row.label)}</b>`, ...scores, ...costs].join("<br>");
}

// Plotly interprets a few tags in labels; escape them so that a name is displayed as text.
function escaped(text) {
  return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;");
}

// Return a name in lines that fit a legend of this width.
function wrapped(text, width) {
  const letters = Math.max(16, Math.floor((width - 118) / 7));
  return text.split(" ").reduce((lines, word) => {
    const longer = `${lines.at(-1)} ${word}`;
    return longer.length > letters ? [...lines, word] : [...lines.slice(0, -1), longer];
  }, [""]).map((line) => line.trim()).filter(Boolean);
}

function trace(row, point, mode) {
  const place = PLACES.get(row.system);
  const turn = Math.floor(place / COLOURS.length);
  return {
    type: "scatter", mode: "markers", name: wrapped(row.label, element("chart").clientWidth).map(escaped).join("<br>"), x: [point.x], y: [point.y],
    hovertemplate: `${hover(row, mode)}<extra></extra>`,
    marker: { size: 12, color: COLOURS[place % COLOURS.length], symbol: SYMBOLS[(place + turn) % SYMBOLS.length] },
  };
}

// Return the height of the legend below the chart, whose entries are all as wide as the longest.
function legendHeight(width, labels) {
  const [letter, symbol, line] = [7, 50, 20];
  const names = [FRONT, ...labels].map((label) => wrapped(label, width));
  const longest = Math.max(...names.flat().map((part) => part.length));
  const across = Math.max(1, Math.floor((width - 68) / (letter * longest + symbol)));
  const lines = names.reduce((sum, parts) => sum + parts.length, 0);
  return line * Math.ceil(lines / across) + line;
}

function axis(title, ink, line, more) {
  return { title: { text: title }, color: ink, gridcolor: line, zeroline: false, automargin: true, ...more };
}

function drawChart() {
  if (!element("chart")) return;
  const [set, metric, key, mode] = ["set", "metric", "cost", "mode"].map((name) => element(`chart-${name}`).value);
  const rows = DATA.chart.rows.filter((row) => setOf(row) === set && row[metric] != null);
  const points = rows.map((row) => ({ row, x: cost(row, key, mode), y: row[metric] })).filter((p) => p.x != null);
  const style = getComputedStyle(document.documentElement);
  const [ink, line, quiet] = ["--ink", "--line", "--quiet"].map((name) => style.getPropertyValue(name).trim());
  const best = front(points);
  const joined = {
    type: "scatter", mode: "lines", name: FRONT, x: best.map((p) => p.x), y: best.map((p) => p.y),
    hoverinfo: "skip", line: { color: quiet, width: 1, dash: "dot" },
  };
  const positive = points.every((p) => p.x > 0);
  const costs = points.map((p) => p.x);
  const few = Math.max(...costs) < 30 * Math.min(...costs); // too few powers of ten: also label 2 and 5
  const below = legendHeight(element("chart").clientWidth, points.map((p) => p.row.label));
  const layout = {
    paper_bgcolor: "transparent", plot_bgcolor: "transparent", font: { color: ink, family: "system-ui, sans-serif", size: 13 },
    margin: { l: 56, r: 12, t: 12, b: 60 + below }, height: 440 + below, hovermode: "closest",
    xaxis: axis(DATA.chart.costs[key], ink, line, { type: positive ? "log" : "linear", dtick: positive && few ? "D2" : undefined }),
    yaxis: axis(metric, ink, line, {}),
    legend: { orientation: "h", yref: "container", y: 0, yanchor: "bottom" },
    hoverlabel: { align: "left" },
  };
  Plotly.react("chart", [joined, ...points.map((p) => trace(p.row, p, mode))], layout, { responsive: true, displaylogo: false, displayModeBar: false });
  const absent = rows.length - points.length;
  element("chart-missing").textContent = absent ? `${absent} systems have no value for this cost.` : "";
}

if (element("chart")) {
  const sets = [...new Set(DATA.chart.rows.filter((row) => row.p50_ms_online != null).map(setOf))];
  fill(element("chart-set"), sets.map((name) => [name, name]));
  ["set", "metric", "cost", "mode"].forEach((name) => element(`chart-${name}`).addEventListener("change", drawChart));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawChart);
  addEventListener("resize", drawChart);
}

// Queries: a candidate set's sample is unpacked when it is first selected.
const unpacked = new Map();

async function unpack(place) {
  const bytes = Uint8Array.from(atob(DATA.samples[place].data), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const text = await new Response(stream).text();
  return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

async function chooseSet() {
  const place = Number(element("query-set").value);
  const sample = DATA.samples[place];
  if (!unpacked.has(place)) unpacked.set(place, await unpack(place));
  const queries = unpacked.get(place);
  element("query-count").textContent = `${sample.sampled} of ${sample.total} queries, the first in the order of their ids' hashes.`;
  fill(element("query"), queries.map((query, n) => [n, query.text.slice(0, 120)]));
  const systems = [...PLACES.keys()].filter((name) => queries.some((query) => name in query.rankings));
  const [left, right] = [element("left").value, element("right").value];
  for (const side of ["left", "right"]) fill(element(side), systems.map((name) => [name, DATA.labels[name]]));
  element("left").value = systems.includes(left) ? left : systems[0] ?? "";
  element("right").value = systems.includes(right) ? right : systems[1] ?? systems[0] ?? "";
  showQuery();
}

function showQuery() {
  const place = Number(element("query-set").value);
  const query = unpacked.get(place)[Number(element("query").value)];
  if (!query) return;
  element("query-text").textContent = query.text;
  for (const [side, other] of [["left", "right"], ["right", "left"]]) {
    const [name, rival] = [element(side).value, element(other).value];
    const score = query.scores[name];
    const suffix = score == null ? "" : `, ${DATA.samples[place].metric} ${score.toFixed(4)}`;
    element(`${side}-title`).textContent = `${DATA.labels[name]}${suffix}`;
    const places = query.rankings[rival] ?? [];
    const items = (query.rankings[name] ?? []).map((passage, n) => item(query.passages[passage], n + 1, places.indexOf(passage) + 1, DATA.labels[rival]));
    element(`${side}-list`).replaceChildren(...items);
  }
}

function item([id, text, grade, before], now, elsewhere, rival) {
  const node = document.createElement("li");
  const relevant = grade != null && grade > 0;
  node.append(
    make("span", "place", `${now}`),
    make("span", relevant ? "grade relevant" : "grade", grade == null ? "not judged" : `grade ${grade}`),
    make("code", "", id),
    move(before, now),
    make("p", "", text || "(empty)"),
    make("span", "other", elsewhere ? `${rival}: ${elsewhere}` : `${rival}: below`),
  );
  return node;
}

function move(before, now) {
  if (before == null) return make("span", "move", "not a candidate");
  if (before === now) return make("span", "move", "= same place");
  const up = before > now;
  return make("span", up ? "move up" : "move down", `${up ? "▲" : "▼"} ${Math.abs(before - now)} from ${before}`);
}

if (element("query-set")) {
  element("query-set").addEventListener("change", chooseSet);
  ["query", "left", "right"].forEach((id) => element(id).addEventListener("change", showQuery));
  chooseSet();
}
