/* The overview, the list with its filters, where one is, and the keys. */

const read = (id) => JSON.parse(document.getElementById(id).textContent);
const data = read("data");
const kept = read("stories");
const agents = Object.keys(data.agents);
const $ = (id) => document.getElementById(id);

/* ---- figures ---- */

const percent = (value) => (value === null || value === undefined ? "-" : `${(100 * value).toFixed(1)} %`);
/* Whole, but near none and all, where a tenth tells. */
function whole(value) {
  const [percents, size] = [100 * value, Math.abs(100 * value)];
  const near = (size >= 0.05 && size < 1) || (size > 99 && size < 99.95);
  return percents.toFixed(near ? 1 : 0).replace(/^-0$/, "0").replace("-", "−");
}
const interval = (figure) => (figure.mean === null ? "-" : `${whole(figure.mean)}\u00a0% (${whole(figure.low)}\u00a0to\u00a0${whole(figure.high)})`);
const SHAPES = ["M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0", "M-4.5-4.5h9v9h-9z", "M0-6L6 0L0 6L-6 0z", "M0-5.5L5.5 4.5h-11z", "M-2-5.5h4v3.5h3.5v4H2v3.5h-4V2h-3.5v-4H-2z", "M0 5.5L5.5-4.5h-11z"];
const colour = (agent) => `var(--a${agents.indexOf(agent) % 6})`;
const marker = (agent) => s("path", { d: SHAPES[agents.indexOf(agent) % SHAPES.length], fill: colour(agent) });
const sign = (agent) => s("svg", { viewBox: "-8 -8 16 16", "aria-hidden": "true" }, marker(agent));

/* A share with its interval on a line from `from` to `to`. */
function strip(agent, figure, from = 0, to = 1) {
  const at = (value) => `${(100 * (value - from)) / (to - from)}%`;
  const parts = [s("line", { class: "axis", x1: "0%", x2: "100%", y1: "50%", y2: "50%" }), [from, 0, (from + to) / 2, to].map((tick) => s("line", { class: "axis", x1: at(tick), x2: at(tick), y1: "20%", y2: "80%" }))];
  if (figure && figure.mean !== null) {
    parts.push(s("line", { x1: at(figure.low), x2: at(figure.high), y1: "50%", y2: "50%", stroke: colour(agent), "stroke-width": 3 }));
    parts.push(s("svg", { x: at(figure.mean), y: "50%", width: 1, height: 1, overflow: "visible" }, marker(agent)));
  }
  return s("svg", { "aria-hidden": "true" }, parts);
}

function bar(agent, part, whole) {
  return s("svg", { "aria-hidden": "true" }, s("rect", { x: 0, y: "25%", height: "50%", rx: 2, width: `${whole ? (100 * part) / whole : 0}%`, fill: colour(agent) }));
}

/* One line an agent under each group; with one agent, one line a group. */
function plot(title, note, groups, cells) {
  const single = agents.length === 1;
  const line = (name, agent, group) => {
    const [drawn, figure] = cells(agent, group) || [];
    if (!drawn) return null;
    const heading = single ? h("th", { scope: "row" }, name) : h("th", { scope: "row" }, h("span", { class: "agent" }, sign(agent), h("span", null, agent)));
    return h("tr", null, heading, h("td", null, drawn), h("td", { class: "number" }, figure));
  };
  const bodies = groups.map(([name, group]) => h("tbody", null,
    single || !name ? null : h("tr", null, h("th", { colspan: 3, scope: "rowgroup" }, name)),
    agents.map((agent) => line(name || agent, agent, group)).filter(Boolean)));
  return h("div", { class: "panel" }, h("table", { class: single ? "plot single" : "plot" }, h("caption", null, title, note ? h("span", null, note) : null), bodies));
}

function groupPlot(title, key) {
  const names = [...new Set(agents.flatMap((agent) => Object.keys(data.agents[agent][key])))];
  names.sort((one, two) => one.localeCompare(two, "en", { numeric: true }));
  const cells = (agent, name) => {
    const figure = data.agents[agent][key][name];
    return figure ? [strip(agent, figure), interval(figure)] : null;
  };
  return plot(title, null, names.map((name) => [words(name), name]), cells);
}

function causePlot() {
  const codes = Object.keys(data.causes).filter((code) => agents.some((agent) => data.agents[agent].causes[code]));
  if (!codes.length) return null;
  const most = Math.max(...agents.map((agent) => data.agents[agent].success.n));
  const cells = (agent, code) => {
    const count = data.agents[agent].causes[code];
    if (!count) return null;
    const shown = data.index.some((entry) => entry.cause === code && entry.agent === agent);
    return [bar(agent, count, most), shown ? h("a", { href: `#/episodes?${new URLSearchParams({ agent, cause: code })}`, "aria-label": `${counted(count, "episode")} of ${agent}: ${words(code)}` }, count.toLocaleString("en")) : String(count)];
  };
  const named = (code) => h("span", { title: data.causes[code] }, words(code), h("span", { class: "quiet small" }, ` - ${data.causes[code]}`));
  return plot("Causes of failure", "episodes; each failure has one cause, found by carrying the episode out beside its reference", codes.map((code) => [named(code), code]), cells);
}

function chancePlot() {
  const most = data.trials;
  if (most < 2) return null;
  const x = (k) => 60 + ((k - 1) / (most - 1)) * 350;
  const y = (value) => 160 - 145 * value;
  const grid = [0, 0.5, 1].map((value) => [s("line", { class: "grid", x1: 50, x2: 420, y1: y(value), y2: y(value) }), s("text", { x: 42, y: y(value) + 4, "text-anchor": "end" }, `${100 * value} %`)]);
  const ks = Array.from({ length: most }, (_, number) => number + 1);
  const curves = agents.flatMap((agent) => [["pass_hat_k", null], ["pass_at_k", "4 4"]].map(([key, dash]) => {
    const points = ks.filter((k) => (data.agents[agent][key][k] ?? null) !== null).map((k) => [x(k), y(data.agents[agent][key][k])]);
    const dots = points.map(([left, top]) => s("g", { transform: `translate(${left} ${top})` }, marker(agent)));
    return [s("path", { d: points.map((point, number) => `${number ? "L" : "M"}${point.join(" ")}`).join(""), stroke: colour(agent), "stroke-dasharray": dash }), dots];
  }));
  const axis = ks.map((k) => s("text", { x: x(k), y: 180, "text-anchor": "middle" }, String(k)));
  const rows = agents.map((agent) => h("tr", null, h("th", { scope: "row" }, agent), ks.map((k) => h("td", { class: "number" }, `${percent(data.agents[agent].pass_hat_k[k])} / ${percent(data.agents[agent].pass_at_k[k])}`))));
  return h("div", { class: "panel" },
    h("h2", null, "Over several trials"),
    h("p", { class: "small quiet" }, "The chance that all of k trials are right (pass^k, the line) and that at least one is (pass@k, dashed)."),
    s("svg", { class: "curve", viewBox: "0 0 430 190", role: "img", "aria-label": "pass^k and pass@k over k; the numbers stand in the table below" }, grid, curves, axis),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "pass^k and pass@k" }, h("table", null, h("thead", null, h("tr", null, h("td"), ks.map((k) => h("th", { scope: "col", class: "number" }, `k = ${k}`)))), h("tbody", null, rows))));
}

/* Better in these domains beyond chance, and likely so in others. */
const telling = (pair) => pair.p !== null && pair.p < 0.05 && (pair.difference.low > 0 || pair.difference.high < 0);
const chance = (p) => (p === null ? "-" : p < 0.001 ? "< 0.001" : p.toFixed(3));

function pairPlot() {
  if (!data.compared.length) return null;
  const rows = data.compared.map((pair) => h("tbody", null,
    h("tr", null, h("th", { scope: "rowgroup", colspan: 2 }, `${pair.after} against ${pair.before}`)),
    h("tr", null, h("td", null, strip(pair.after, pair.difference, -1, 1)), h("td", { class: "number" }, h("span", null, interval(pair.difference)), " ",
      h("span", null, `p ${chance(pair.p)}${telling(pair) ? " ✓" : ""}`)))));
  return h("div", { class: "panel" }, h("table", { class: "plot pairs" },
    h("caption", null, "Agent against agent", h("span", null, "how much more often the first one succeeds, at the tasks of both, from -100 to 100 %, with the interval that holds 95 % of a bootstrap over domains and their tasks; p: the chance of such a difference, were both alike in each of these domains, with tasks independent there; ✓: p below 0.05 and the interval on one side of 0, not corrected for the number of pairs")), rows));
}

const MANNER = [
  ["pass^k: all trials right", (grade) => percent(grade.pass_hat_k[grade.trials])],
  ["calls to the reference's, where it succeeded", (grade) => grade.calls_ratio?.toFixed(2) ?? "-"],
  ["calls that came to an error", (grade) => percent(grade.error_rate)],
  ["episodes with an error that succeeded", (grade) => percent(grade.recovery_rate)],
  ["calls of tools that there are not", (grade) => grade.hallucinated_tools.toLocaleString("en")],
  ["arguments and ids made up", (grade) => grade.hallucinated_arguments.toLocaleString("en")],
  ["episodes that broke a policy", (grade) => grade.violations.toLocaleString("en")],
  ["rows changed that nobody asked for", (grade) => grade.collateral.toLocaleString("en")],
  ["calls", (grade) => grade.cost.calls.toLocaleString("en")],
  ["tokens of prompts and completions", (grade) => grade.cost.tokens?.toLocaleString("en") ?? "-"],
  ["tokens of completions, where scored", (grade) => grade.cost.completion_tokens.toLocaleString("en")],
  ["money", (grade) => grade.cost.money?.toFixed(2) ?? "-"],
  ["episodes that our side lost, unscored", (grade) => grade.unscored.toLocaleString("en")],
];

function mannerTable() {
  const head = h("thead", null, h("tr", null, h("td"), agents.map((agent) => h("th", { scope: "col", class: "number" }, agent))));
  const rows = MANNER.map(([name, figure]) => h("tr", null, h("th", { scope: "row" }, name), agents.map((agent) => h("td", { class: "number" }, figure(data.agents[agent])))));
  return h("div", { class: "panel" }, h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "How they went about it" }, h("table", null, h("caption", null, "How they went about it"), head, h("tbody", null, rows))));
}

function overviewView() {
  const success = plot("Success", "share of episodes, with the interval that holds 95 % of a bootstrap over domains and their tasks",
    agents.length === 1 ? [[agents[0], null]] : [["", null]], (agent) => [strip(agent, data.agents[agent].success), interval(data.agents[agent].success)]);
  const users = data.users.map((user) => h("p", { class: "small quiet" }, `The users of ${user.run} were played by a model; tokens of prompts and completions: `,
    `${user.tokens?.toLocaleString("en") ?? "-"}; money: ${user.money?.toFixed(4) ?? "-"}.`));
  return [success, h("p", { class: "small quiet" }, data.left_out), ...users,
    h("div", { class: "columns" }, mannerTable(), chancePlot(), pairPlot(), causePlot(), groupPlot("By kind", "by_kind"), groupPlot("By difficulty", "by_difficulty"),
      groupPlot("By field", "by_field"))];
}

/* ---- episodes, unpacked when they are needed ---- */

const unpacked = new Map();

async function story(number) {
  if (!unpacked.has(number)) unpacked.set(number, data.packed ? await unpack(kept[number]) : kept[number]);
  return unpacked.get(number);
}

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
}

const texts = new Map();

async function textOf(number) {
  if (!texts.has(number)) {
    const entry = data.index[number];
    const said = [];
    const gather = (value) => (value !== null && typeof value === "object" ? Object.values(value).forEach(gather) : said.push(value));
    gather([entry, words(entry.cause), data.tasks[entry.task].request, await story(number)]);
    if (data.packed) unpacked.delete(number);
    texts.set(number, said.join("\n").toLowerCase());
  }
  return texts.get(number);
}

/* ---- where one is: #/ , #/episodes?agent=…&q=… , #/agent/task/trial?… ---- */

const FILTERS = { agent: "agents", field: "fields", kind: "kinds", difficulty: "difficulties", cause: "causes", outcome: "outcomes" };
const places = new Map(data.index.map((entry, number) => [path(entry), number]));
let filtered = data.index.map((_, number) => number);
let filters = new URLSearchParams();
let open = null;
let asked = 0;

function path(entry) {
  return `${encodeURIComponent(entry.agent)}/${entry.task.split("/").map(encodeURIComponent).join("/")}/${entry.trial}`;
}

const link = (start, query) => `#/${start}${String(query) ? `?${query}` : ""}`;
const valueOf = (number, key) => {
  const entry = data.index[number];
  return key === "outcome" ? (entry.success ? "success" : "failure") : String(entry[key] ?? data.tasks[entry.task][key]);
};

const parts = () => location.hash.replace(/^#\/?/, "").split("?");

/* The episode in the address, which is there at once, whatever is still being unpacked. */
function addressed() {
  const [start] = parts();
  return start && start !== "episodes" ? places.get(normal(start)) : undefined;
}

async function show() {
  const turn = ++asked;
  const [start, query] = parts();
  const place = addressed();
  const episodes = start === "episodes" || start.includes("/");
  $("overview").hidden = episodes;
  $("episodes").hidden = !episodes;
  for (const [id, here] of [["to-overview", !episodes], ["to-episodes", episodes]]) here ? $(id).setAttribute("aria-current", "page") : $(id).removeAttribute("aria-current");
  if (episodes) await showEpisodes(new URLSearchParams(query || ""), place ?? null, turn);
  else if (!$("overview").firstChild) $("overview").append(...overviewView().filter(Boolean));
  document.documentElement.dataset.shown = location.hash;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const normal = (start) => start.split("/").map((part) => encodeURIComponent(decoded(part))).join("/");

async function showEpisodes(query, place, turn) {
  const same = String(query) === String(filters) && $("list").firstChild;
  if (!same) {
    filters = query;
    if (document.activeElement !== $("search")) $("search").value = filters.get("q") || "";
    for (const key of Object.keys(FILTERS)) $(`by-${key}`).value = filters.get(key) || "";
    const found = await find(turn);
    if (turn !== asked) return;
    filtered = found;
    fillList();
  }
  const shown = place === null ? null : await story(place);
  if (turn !== asked) return;
  openEpisode(place, shown);
}

const TOGETHER = 100;

async function find(turn) {
  const sought = soughtWords();
  const chosen = Object.keys(FILTERS).filter((key) => filters.get(key));
  const fitting = [...data.index.keys()].filter((number) => chosen.every((key) => valueOf(number, key) === filters.get(key)));
  if (!sought.length) return fitting;
  const found = [];
  for (let from = 0; from < fitting.length; from += TOGETHER) {
    const some = fitting.slice(from, from + TOGETHER);
    const read = await Promise.all(some.map(textOf));
    if (turn !== asked) return found;
    found.push(...some.filter((_, place) => sought.every((word) => read[place].includes(word))));
    $("count").textContent = `searching… ${from + some.length}`;
  }
  return found;
}

const soughtWords = () => (filters.get("q") || "").toLowerCase().split(/\s+/).filter(Boolean);

/* ---- the list: as much of it as is looked at ---- */

const PART = 100;
const more = h("li", { "aria-hidden": "true" }, h("span", { class: "quiet" }, "…"));
new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && extend(), { rootMargin: "400px" }).observe(more);

function fillList() {
  $("list").replaceChildren();
  extend();
  const all = data.index.length;
  $("count").textContent = filtered.length === all ? counted(all, "episode") : `${filtered.length.toLocaleString("en")} of ${counted(all, "episode")}`;
  $("list").scrollTop = 0;
}

function extend(until = 0) {
  more.remove();
  const from = $("list").children.length;
  const to = Math.min(filtered.length, Math.max(from + PART, until + 1));
  $("list").append(...filtered.slice(from, to).map(itemView));
  if (to < filtered.length) $("list").append(more);
}

function itemView(number) {
  const entry = data.index[number];
  const task = data.tasks[entry.task];
  const mark = entry.success ? h("span", { class: "mark good", "aria-hidden": "true" }, "✓") : h("span", { class: "mark bad", "aria-hidden": "true" }, "✗");
  return h("li", null, h("a", { href: link(path(entry), filters), "data-number": number },
    mark, h("span", { class: "request" }, h("span", { class: "hidden-words" }, entry.success ? "success: " : "failure: "), task.request),
    h("span", { class: "small quiet" }, `${words(task.domain)} · ${words(task.kind)} · ${entry.agent} ${entry.trial + 1}`),
    entry.cause ? h("span", { class: "small bad" }, words(entry.cause)) : null));
}

const item = (number) => $("list").querySelector(`a[data-number="${number}"]`);

/* ---- one episode ---- */

function openEpisode(place, shown) {
  $("list").querySelector("[aria-current]")?.removeAttribute("aria-current");
  const lost = place === null && parts()[0].includes("/");
  $("episodes").classList.toggle("reading", place !== null || lost);
  const changed = place !== open;
  open = place;
  if (place === null) {
    $("reader").replaceChildren(lost
      ? h("p", { role: "status" }, `This report does not hold the episode ${decoded(parts()[0])}. ${data.left_out}`)
      : h("p", { class: "quiet wide" }, "Choose an episode to read it: what was asked, every call, what it changed, and what was wanted."));
    return;
  }
  mark(place);
  if (changed || !$("reader").firstChild) readEpisode(place, shown);
  highlight();
}

function mark(place) {
  const at = filtered.indexOf(place);
  if (at >= $("list").children.length - 1) extend(at);
  const current = item(place);
  current?.setAttribute("aria-current", "true");
  current?.scrollIntoView({ block: "nearest" });
}

function readEpisode(place, shown) {
  const entry = data.index[place];
  const task = data.tasks[entry.task];
  $("reader").replaceChildren(stepsView(place), ...storyView({ entry, task, domain: data.domains[task.domain], story: shown, causes: data.causes }));
  document.title = `${entry.task} - ${data.title}`;
  window.scrollTo(0, 0);
  if (!$("browse").contains(document.activeElement)) $("reader").querySelector(".heading").focus({ preventScroll: true });
}

function stepsView(place) {
  const at = filtered.indexOf(place);
  const to = (number, label) => (filtered[number] === undefined ? h("span") : h("a", { href: link(path(data.index[filtered[number]]), filters) }, label));
  return h("nav", { class: "steps", "aria-label": "Other episodes" },
    h("a", { href: link("episodes", filters), class: "back" }, "all episodes"), to(at - 1, "‹ previous"), h("span", { class: "quiet" }, at < 0 ? "outside the filter" : `${at + 1} of ${filtered.length}`), to(at + 1, "next ›"));
}

function highlight() {
  if (!CSS.highlights) return;
  CSS.highlights.delete("found");
  const sought = soughtWords();
  const ranges = [];
  const walker = document.createTreeWalker($("reader"), NodeFilter.SHOW_TEXT);
  while (sought.length && walker.nextNode()) {
    const text = walker.currentNode.data.toLowerCase();
    for (const word of sought) {
      for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + word.length)) {
        walker.currentNode.parentElement.closest("details.long")?.setAttribute("open", "");
        const range = new Range();
        range.setStart(walker.currentNode, at);
        range.setEnd(walker.currentNode, Math.min(at + word.length, walker.currentNode.length));
        ranges.push(range);
      }
    }
  }
  if (ranges.length) CSS.highlights.set("found", new Highlight(...ranges));
}

/* ---- filters and keys ---- */

function makeFilters() {
  for (const [key, plural] of Object.entries(FILTERS)) {
    const values = [...new Set(data.index.map((_, number) => valueOf(number, key)))].filter(Boolean).sort((one, two) => one.localeCompare(two, "en", { numeric: true }));
    $("selects").append(h("select", { id: `by-${key}`, name: key, "aria-label": key }, h("option", { value: "" }, `all ${plural}`), values.map((value) => h("option", { value }, key === "agent" ? value : words(value)))));
  }
}

let waiting = 0;

function applyFilters() {
  const query = new URLSearchParams();
  for (const key of Object.keys(FILTERS)) if ($(`by-${key}`).value) query.set(key, $(`by-${key}`).value);
  if ($("search").value.trim()) query.set("q", $("search").value.trim());
  location.replace(link("episodes", query));
}

function move(by) {
  if ($("episodes").hidden || !filtered.length) return false;
  const focused = document.activeElement?.dataset?.number;
  const here = addressed();
  const from = filtered.indexOf(here ?? (focused === undefined ? null : Number(focused)));
  const to = Math.max(0, Math.min(filtered.length - 1, from + by));
  if (here !== undefined) {
    location.hash = link(path(data.index[filtered[to]]), filters);
  } else {
    if (to >= $("list").children.length - 1) extend(to);
    item(filtered[to])?.focus();
  }
  return true;
}

function leave() {
  if (document.activeElement === $("search")) return $("search").blur();
  if (open !== null) {
    const left = open;
    location.hash = link("episodes", filters);
    return setTimeout(() => item(left)?.focus());
  }
  location.hash = "#/";
  return undefined;
}

function search() {
  if ($("episodes").hidden || open !== null) location.hash = link("episodes", filters);
  setTimeout(() => $("search").focus());
}

const KEYS = { j: () => move(1), k: () => move(-1), "/": search, "?": () => $("help").showModal() };

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || $("help").open) return;
  if (event.key === "Escape") return leave();
  if (event.target.closest("input, select, textarea")) return;
  const arrow = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (arrow && open === null && move(arrow)) event.preventDefault();
  const side = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (side && open !== null) move(side);
  if (KEYS[event.key] && $("keys").checked) {
    event.preventDefault();
    KEYS[event.key]();
  }
}

function begin() {
  const suite = data.suite;
  $("title").textContent = data.title;
  $("about").textContent = `${suite.name}${suite.version ? ` ${suite.version}` : ""} · ${counted(suite.tasks, "task")} · ${counted(data.trials, "trial")} each · digest ${suite.digest.slice(0, 12)}`;
  makeFilters();
  skipByFocus();
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  $("filters").addEventListener("reset", () => setTimeout(applyFilters));
  $("selects").addEventListener("change", applyFilters);
  $("search").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(applyFilters, 150);
  });
  $("to-help").addEventListener("click", () => $("help").showModal());
  document.addEventListener("keydown", press);
  window.addEventListener("beforeprint", () => document.querySelectorAll("#reader details").forEach((one) => (one.open = true)));
  window.addEventListener("hashchange", show);
  show();
}

begin();
