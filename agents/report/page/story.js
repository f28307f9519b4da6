"use strict";

/* An episode as a person reads it. Text only ever becomes text: no markup is parsed. */

const SVG = "http://www.w3.org/2000/svg";

function element(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

const h = (tag, attributes, ...children) => element(document.createElement(tag), attributes, children);
const s = (tag, attributes, ...children) => element(document.createElementNS(SVG, tag), attributes, children);
const words = (code) => code.replaceAll("_", " ");
const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

const LINES = 12;

function resultView(call) {
  const kind = call.fault ? "fault" : call.error ? "error" : "";
  const text = call.result;
  const lines = text.split("\n");
  if (lines.length <= LINES && text.length < 1200) return h("pre", { class: `result ${kind}` }, text);
  const size = lines.length > 1 ? counted(lines.length, "line") : counted(text.length, "character");
  const begin = text.replace(/\s+/g, " ").slice(0, 90);
  return h("details", { class: `long ${kind}` }, h("summary", null, `${begin}… `, h("span", { class: "quiet" }, size)), h("pre", { class: "result" }, text));
}

function callView(call) {
  const inside = typeof call.arguments === "string"
    ? [call.arguments]
    : call.arguments.map(([key, value], number) => [number ? ", " : "", h("span", { class: "key" }, `${key}=`), value]);
  return h("div", { class: "call" }, h("b", null, call.name), "(", inside, ")");
}

const SIGNS = { insert: ["+", "new"], update: ["~", "changed"], delete: ["−", "gone"] };

function changeView(change) {
  const [sign, meaning] = SIGNS[change.op];
  const tone = { insert: "good", update: "care", delete: "bad" }[change.op];
  const cells = change.cells.map(([name, before, after], number) => [
    number ? ", " : " ",
    h("span", { class: "quiet" }, `${name} `),
    change.op === "update" ? [h("span", { class: "was" }, before ?? "nothing"), " → "] : null,
    h("b", null, (change.op === "delete" ? before : after) ?? "nothing"),
  ]);
  return h("span", { class: "row" },
    h("span", { class: `mark ${tone}`, title: meaning, "aria-hidden": "true" }, sign), h("span", { class: "hidden-words" }, meaning),
    ` ${change.table} ${change.key}`, cells);
}

function turnView(turn, from) {
  const items = [];
  const add = (who, ...content) => items.push(h("li", { class: items.length ? "same" : null }, h("div", { class: "who" }, who), h("div", null, content)));
  if (turn.text) add("agent", h("div", { class: "says" }, turn.text));
  turn.calls.forEach((call, number) => {
    const changes = (call.changes || []).map((change) => h("li", null, changeView(change)));
    const changed = changes.length ? h("ul", { class: "changes", "aria-label": "Rows it changed" }, changes) : null;
    if (call.said !== undefined) {
      add("agent", h("div", { class: "says" }, call.said));
      add("user", h("div", { class: "says user" }, call.reply), changed);
      return;
    }
    if (call.spoken !== undefined) add("agent", h("div", { class: "says" }, call.spoken));
    const tag = call.error ? h("span", { class: `tag ${call.fault ? "fault" : "error"}` }, call.fault ? `fault: ${words(call.error)}` : words(call.error)) : null;
    const shown = callView(call);
    if (tag) shown.append(tag);
    add(`call ${from + number}`, shown, resultView(call), changed);
  });
  return items;
}

function talkView(task, story) {
  const items = [h("li", null, h("div", { class: "who" }, "user"), h("div", null, h("div", { class: "says user" }, task.request)))];
  let number = 0;
  for (const turn of story.turns) {
    items.push(...turnView(turn, number));
    number += turn.calls.length;
  }
  return h("ol", { class: "talk" }, items);
}

function endingWords(ending) {
  const about = ending.about ? ` about ${ending.about}` : "";
  return `${words(ending.outcome)}${about}${ending.answer ? `, answer ${ending.answer}` : ""}`;
}

function cameWords(story) {
  if (story.ending) return endingWords(story.ending);
  return story.user_left ? "no ending: the user had left" : "no ending: it ran out of steps";
}

function goalView(story) {
  const line = (tone, label, ...content) => h("li", null, h("span", { class: tone }, label), h("span", { class: "row" }, content));
  return h("ul", { class: "goal" },
    story.expected.map((change) => (change.met ? line("good", "✓ met", changeView(change)) : line("bad", "✗ missing", changeView(change)))),
    story.extra.map((change) => line("bad", "✗ extra", changeView(change))),
    line(story.ended_well ? "good" : "bad", story.ended_well ? "✓ ending" : "✗ ending", `wanted: ${endingWords(story.wanted)}`, h("br"), `came: ${cameWords(story)}`),
    story.broken.map((name) => line("bad", "✗ policy", `${words(name)} was broken`)));
}

function goalNote(story) {
  const rest = story.wanted.check ? `${story.wanted.check} decides what may change` : "nothing else may change";
  return `${rest}${story.ways > 1 ? `; ${story.ways} ways are right, and this is the nearest` : ""}`;
}

function verdictView(entry, story, causes) {
  const cause = entry.cause
    ? [h("p", null, h("strong", null, words(entry.cause)), h("span", { class: "quiet" }, ` - ${causes[entry.cause] ?? ""}`)), h("p", { class: "mono" }, entry.detail)]
    : h("p", null, h("strong", null, "The goal is met."));
  return h("section", { class: `panel verdict ${entry.success ? "met" : ""}`, "aria-label": "What was wanted, and what came of it" },
    h("h3", { class: entry.success ? "good" : "bad" }, entry.success ? "✓ success" : "✗ failure"), cause,
    h("h3", null, "What was wanted ", h("span", { class: "quiet small" }, `- ${goalNote(story)}`)), goalView(story));
}

function backgroundView(task, domain) {
  const reference = h("ol", null, task.reference.map((call) => h("li", null, callView(call))));
  const policies = h("dl", null, Object.entries({ ...domain.policies, ...task.rules }).map(([name, text]) => [h("dt", { class: "mono" }, name), h("dd", null, text)]));
  const aside = (title, lines) => (lines.length ? h("details", null, h("summary", null, title), h("ul", null, lines.map((line) => h("li", null, line)))) : null);
  return h("section", { class: "panel", "aria-label": "Behind it" },
    h("details", null, h("summary", null, `The reference: ${counted(task.reference.length, "call")}`), reference),
    h("details", null, h("summary", null, `${words(task.domain)}: about it, and its policies`), h("p", null, domain.about), policies),
    aside("The user: what they know and decide", task.user),
    aside("What goes wrong on purpose", task.faults),
    task.withheld.length ? h("p", { class: "small quiet" }, `Tools kept from the agent: ${task.withheld.join(", ")}`) : null);
}

/* The whole episode: `entry` as lists know it, and the parts that it shares with others. */
function storyView({ entry, task, domain, story, causes }) {
  const facts = [entry.agent, `trial ${entry.trial + 1}`, task.field, words(task.kind), `difficulty ${task.difficulty}`, task.now.slice(0, 16).replace("T", " "),
    `${counted(entry.calls, "call")}, reference ${task.reference.length}`, entry.tokens ? counted(entry.tokens, "token") : null];
  return [
    h("h2", { tabindex: "-1", class: "heading" }, entry.task),
    h("p", { class: "facts" }, facts.filter(Boolean).map((fact) => h("span", null, fact))),
    verdictView(entry, story, causes),
    h("section", { class: "panel", "aria-label": "Conversation" }, talkView(task, story)),
    backgroundView(task, domain),
  ];
}

/* The link that skips to the content moves the focus, and leaves the address alone. */
function skipByFocus() {
  const skip = document.querySelector(".skip");
  skip.addEventListener("click", (event) => {
    event.preventDefault();
    document.querySelector(skip.getAttribute("href")).focus();
  });
}
