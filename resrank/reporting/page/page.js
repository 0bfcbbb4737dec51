"use strict";
// Everything on the page comes from the JSON in #data; text goes in as textContent, never as HTML.
const DATA = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);

function fill(select, pairs) {
  select.replaceChildren(...pairs.map(([value, text]) => new Option(text, value)));
}

function make(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

// Tables: sorted by numbers where a column has them; what is missing stays last.
const NUMBER = /^[<≤]?\s*([-+−]?[\d,]*\.?\d+(?:e[-+]?\d+)?)(?:$|[\s%[(±×*†‡])/i;
const MISSING = new Set(["", "–", "-", "nan"]);

function number(text) {
  const found = NUMBER.exec(text);
  return found ? Number(found[1].replace(/,/g, "").replace("−", "-")) : NaN;
}

function isNumeric(cells) {
  const known = cells.filter((text) => !MISSING.has(text));
  return known.length > 0 && known.every((text) => !Number.isNaN(number(text)));
}

function sortTable(table, column, descending) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const text = (row) => row.cells[column].textContent.trim();
  const numeric = isNumeric(rows.map(text));
  rows.sort((a, b) => {
    const [one, other] = [text(a), text(b)];
    const lacking = MISSING.has(one) - MISSING.has(other);
    if (lacking) return lacking;
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
      const now = head.getAttribute("aria-sort");
      const descending = now ? now === "ascending" : numeric;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      sortTable(table, column, descending);
    });
  });
}

document.querySelectorAll("table").forEach(makeSortable);
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => { d.open = true; }));

// The chart: plotly draws it, a trace a system, and one line through those that none beats.
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#7f7f7f"];
const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "cross", "x", "star", "hexagon"];
const PLACES = new Map([...new Set(DATA.chart.rows.map((row) => row.system))].map((s, n) => [s, n]));
const setOf = (row) => `${row.collection} over ${row.first_stage}`;

// A system without passage embeddings has one figure: it stands there in both modes.
function cost(row, key, mode) {
  return row[`${key}_${mode}`] ?? row[`${key}_online`];
}

function front(points) {
  let best = -Infinity;
  return [...points].sort((a, b) => a.x - b.x || b.y - a.y).filter((p) => p.y > best && ((best = p.y), true));
}

function shown(value) {
  return value == null ? "not known" : Number(value.toPrecision(4)).toLocaleString("en");
}

function hover(row, mode) {
  const costs = Object.entries(DATA.chart.costs).map(([key, name]) => `${name}: ${shown(cost(row, key, mode))}`);
  const scores = DATA.chart.metrics.map((metric) => `${metric}: ${row[metric]?.toFixed(4) ?? "–"}`);
  return [`<b>${plain(row.label)}</b>`, ...scores, ...costs].join("<br>");
}

// Plotly reads a few tags in labels: a name that holds one is to show as text.
function plain(text) {
  return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;");
}

// A name in lines that a legend of this width holds.
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
    type: "scatter", mode: "markers", name: wrapped(row.label, at("chart").clientWidth).map(plain).join("<br>"), x: [point.x], y: [point.y],
    hovertemplate: `${hover(row, mode)}<extra></extra>`,
    marker: { size: 12, color: COLOURS[place % COLOURS.length], symbol: SYMBOLS[(place + turn) % SYMBOLS.length] },
  };
}

// How high the legend below the chart is, as its entries are laid out: as wide as the longest one.
function legendHeight(width, labels) {
  const [letter, symbol, line] = [7, 50, 20];
  const names = ["none better in both", ...labels].map((label) => wrapped(label, width));
  const longest = Math.max(...names.flat().map((part) => part.length));
  const across = Math.max(1, Math.floor((width - 68) / (letter * longest + symbol)));
  const lines = names.reduce((sum, parts) => sum + parts.length, 0);
  return line * Math.ceil(lines / across) + line;
}

function axis(title, ink, line, more) {
  return { title: { text: title }, color: ink, gridcolor: line, zeroline: false, automargin: true, ...more };
}

function drawChart() {
  if (!at("chart")) return;
  const [set, metric, key, mode] = ["set", "metric", "cost", "mode"].map((name) => at(`chart-${name}`).value);
  const rows = DATA.chart.rows.filter((row) => setOf(row) === set && row[metric] != null);
  const found = rows.map((row) => ({ row, x: cost(row, key, mode), y: row[metric] })).filter((p) => p.x != null);
  const style = getComputedStyle(document.documentElement);
  const [ink, line, quiet] = ["--ink", "--line", "--quiet"].map((name) => style.getPropertyValue(name).trim());
  const best = front(found);
  const joined = {
    type: "scatter", mode: "lines", name: "none better in both", x: best.map((p) => p.x), y: best.map((p) => p.y),
    hoverinfo: "skip", line: { color: quiet, width: 1, dash: "dot" },
  };
  const positive = found.every((p) => p.x > 0);
  const costs = found.map((p) => p.x);
  const few = Math.max(...costs) < 30 * Math.min(...costs); // too few powers of ten to label: 1, 2, 5
  const below = legendHeight(at("chart").clientWidth, found.map((p) => p.row.label));
  const layout = {
    paper_bgcolor: "transparent", plot_bgcolor: "transparent", font: { color: ink, family: "system-ui, sans-serif", size: 13 },
    margin: { l: 56, r: 12, t: 12, b: 60 + below }, height: 440 + below, hovermode: "closest",
    xaxis: axis(DATA.chart.costs[key], ink, line, { type: positive ? "log" : "linear", dtick: positive && few ? "D2" : undefined }),
    yaxis: axis(metric, ink, line, {}),
    legend: { orientation: "h", yref: "container", y: 0, yanchor: "bottom" },
    hoverlabel: { align: "left" },
  };
  Plotly.react("chart", [joined, ...found.map((p) => trace(p.row, p, mode))], layout, { responsive: true, displaylogo: false, displayModeBar: false });
  const absent = rows.length - found.length;
  at("chart-missing").textContent = absent ? `${absent} systems have no such figure.` : "";
}

if (at("chart")) {
  const sets = [...new Set(DATA.chart.rows.filter((row) => row.p50_ms_online != null).map(setOf))];
  fill(at("chart-set"), sets.map((name) => [name, name]));
  ["set", "metric", "cost", "mode"].forEach((name) => at(`chart-${name}`).addEventListener("change", drawChart));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawChart);
  addEventListener("resize", drawChart);
}

// Queries: a candidate set's sample is unpacked when it is first looked at.
const unpacked = new Map();

async function unpack(place) {
  const bytes = Uint8Array.from(atob(DATA.samples[place].data), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const text = await new Response(stream).text();
  return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

async function chooseSet() {
  const place = Number(at("query-set").value);
  const sample = DATA.samples[place];
  if (!unpacked.has(place)) unpacked.set(place, await unpack(place));
  const queries = unpacked.get(place);
  at("query-count").textContent = `${sample.shown} of ${sample.of} queries, the first by hash of their id.`;
  fill(at("query"), queries.map((query, n) => [n, query.text.slice(0, 120)]));
  const systems = [...PLACES.keys()].filter((name) => queries.some((query) => name in query.rankings));
  const [left, right] = [at("left").value, at("right").value];
  for (const side of ["left", "right"]) fill(at(side), systems.map((name) => [name, DATA.labels[name]]));
  at("left").value = systems.includes(left) ? left : systems[0] ?? "";
  at("right").value = systems.includes(right) ? right : systems[1] ?? systems[0] ?? "";
  showQuery();
}

function showQuery() {
  const place = Number(at("query-set").value);
  const query = unpacked.get(place)[Number(at("query").value)];
  if (!query) return;
  at("query-text").textContent = query.text;
  for (const [side, other] of [["left", "right"], ["right", "left"]]) {
    const [name, rival] = [at(side).value, at(other).value];
    const score = query.scores[name];
    const said = score == null ? "" : `, ${DATA.samples[place].metric} ${score.toFixed(4)}`;
    at(`${side}-title`).textContent = `${DATA.labels[name]}${said}`;
    const places = query.rankings[rival] ?? [];
    const items = (query.rankings[name] ?? []).map((passage, n) => item(query.passages[passage], n + 1, places.indexOf(passage) + 1, DATA.labels[rival]));
    at(`${side}-list`).replaceChildren(...items);
  }
}

function item([id, text, grade, before], now, elsewhere, rival) {
  const made = document.createElement("li");
  const relevant = grade != null && grade > 0;
  made.append(
    make("span", "place", `${now}`),
    make("span", relevant ? "grade relevant" : "grade", grade == null ? "not judged" : `grade ${grade}`),
    make("code", "", id),
    move(before, now),
    make("p", "", text || "(empty)"),
    make("span", "other", elsewhere ? `${rival}: ${elsewhere}` : `${rival}: below`),
  );
  return made;
}

function move(before, now) {
  if (before == null) return make("span", "move", "not a candidate");
  if (before === now) return make("span", "move", "= stays");
  const up = before > now;
  return make("span", up ? "move up" : "move down", `${up ? "▲" : "▼"} ${Math.abs(before - now)} from ${before}`);
}

if (at("query-set")) {
  at("query-set").addEventListener("change", chooseSet);
  ["query", "left", "right"].forEach((id) => at(id).addEventListener("change", showQuery));
  chooseSet();
}
