/* A sample, one episode after another: read, accept or reject, and say why. */

const { title, token, identity, sample } = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
let reviewer = "";
let decided = {};
let place = 0;
let seen = null;
let saving = false;

/* A comment that is not yet decided, which this tab keeps when the page is loaded anew. */
const draft = (at) => JSON.stringify(["draft", identity, reviewer, at]);

async function ask(path, body) {
  const posted = body && { method: "POST", headers: { "Content-Type": "application/json", "X-Token": token }, body: JSON.stringify(body) };
  const answer = await fetch(path, posted || {});
  const found = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(found.error), { status: answer.status });
  return found;
}

function say(text, bad = false) {
  $("status").textContent = text;
  $("status").classList.toggle("bad", bad);
}

const complain = (error) => say(error.status ? error.message : "The server does not answer; is it still running? Nothing was saved.", true);

/* ---- who ---- */

async function begin(name) {
  reviewer = name;
  try {
    decided = await ask(`/decisions?reviewer=${encodeURIComponent(name)}`);
  } catch (error) {
    return complain(error);
  }
  sessionStorage.setItem("reviewer", name);
  $("who").hidden = true;
  $("work").hidden = false;
  return go(addressed() ?? undecided(-1) ?? 0);
}

/* ---- where ---- */

function undecided(after) {
  const order = [...sample.keys()].map((number) => (after + 1 + number) % sample.length);
  return order.find((number) => !decided[number]);
}

/* The place in the address, which is there at once, whatever is still being loaded. */
function addressed() {
  const asked = /^#\/(\d+)$/.exec(location.hash);
  return asked && sample[asked[1] - 1] ? asked[1] - 1 : null;
}

const go = (to) => (location.hash === `#/${to + 1}` ? show() : (location.hash = `#/${to + 1}`));

async function show() {
  if (!reviewer || addressed() === null) return;
  place = addressed();
  seen = null;
  draw();
  $("comment").value = sessionStorage.getItem(draft(place)) ?? decided[place]?.comment ?? "";
  const here = place;
  try {
    const told = await ask(`/story?place=${here}`);
    if (here !== place) return;
    $("reader").replaceChildren(...storyView(told));
    seen = here;
    window.scrollTo(0, 0);
    if (document.activeElement === document.body) $("reader").focus({ preventScroll: true });
    document.documentElement.dataset.shown = location.hash;
  } catch (error) {
    complain(error);
  }
}

function draw() {
  const count = Object.keys(decided).length;
  $("about").textContent = `${reviewer} · ${count} of ${counted(sample.length, "episode")} decided`;
  const marks = { accept: "✓", reject: "✗" };
  $("places").replaceChildren(...sample.map((entry, number) => {
    const verdict = decided[number]?.verdict;
    const name = `Episode ${number + 1}: ${verdict ? `${verdict}ed` : "undecided"}`;
    return h("a", { href: `#/${number + 1}`, class: verdict ? "decided" : null, "aria-label": name, "aria-current": number === place ? "true" : null }, `${number + 1}${verdict ? ` ${marks[verdict]}` : ""}`);
  }));
  for (const verdict of ["accept", "reject"]) $(verdict).setAttribute("aria-pressed", String(decided[place]?.verdict === verdict));
}

/* ---- deciding ---- */

async function decide(verdict) {
  if (saving || seen === null || seen !== addressed()) return;
  saving = true;
  const here = place;
  const decision = { reviewer, place: here, verdict, comment: $("comment").value, seen: decided[here]?.version || 0 };
  try {
    const { version } = await ask("/decide", decision);
    decided[here] = { verdict, comment: decision.comment, version };
    if (sessionStorage.getItem(draft(here)) === decision.comment) sessionStorage.removeItem(draft(here));
    saved(here, verdict);
  } catch (error) {
    await (error.status === 409 ? conflict(error, here) : complain(error));
  } finally {
    saving = false;
  }
}

function saved(here, verdict) {
  const next = undecided(here);
  const left = sample.length - Object.keys(decided).length;
  say(`Episode ${here + 1}: ${verdict}ed and saved. ${left ? `${left} left.` : "All are decided; thank you."}`);
  $("comment").blur();
  if (here !== place) return;
  if (next === undefined || next === here) draw();
  else go(next);
}

/* The same reviewer decided elsewhere: show that, and let them look again. */
async function conflict(error, here) {
  decided = await ask(`/decisions?reviewer=${encodeURIComponent(reviewer)}`);
  draw();
  const { verdict, comment } = decided[here] || {};
  say(`${error.message}: ${verdict}ed${comment ? `, "${comment}"` : ""}. Nothing was overwritten; decide again to change it.`, true);
}

/* ---- agreement ---- */

const share = (value) => (value === null ? "-" : `${(100 * value).toFixed(0)} %`);

function table(caption, head, rows) {
  return h("table", null, h("caption", null, caption), h("thead", null, h("tr", null, head.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", null, rows.map(([name, ...cells]) => h("tr", null, h("th", { scope: "row" }, name), cells.map((cell) => h("td", { class: "number" }, cell))))));
}

async function summarise() {
  try {
    const found = await ask("/summary");
    const reviewers = Object.entries(found.reviewers).map(([name, one]) => [name, one.accepted, one.rejected, one.left, share(one.share_accepted)]);
    const pairs = found.pairs.map((one) => [one.reviewers.join(" and "), one.both, share(one.agreed), one.kappa ?? "-",
      `${one.counts.accept_accept} / ${one.counts.reject_reject} / ${one.counts.accept_reject + one.counts.reject_accept}`]);
    $("figures").replaceChildren(
      reviewers.length ? table("Reviewers", ["", "accepted", "rejected", "left", "share accepted"], reviewers) : h("p", null, "Nobody has decided on anything yet."),
      pairs.length ? table("Two at the same episodes", ["", "both decided", "agreed", "Cohen's kappa", "both ✓ / both ✗ / apart"], pairs) : "");
    $("summary").showModal();
  } catch (error) {
    complain(error);
  }
}

/* ---- keys ---- */

const step = (by) => go(Math.max(0, Math.min(sample.length - 1, (addressed() ?? place) + by)));
const KEYS = { a: () => decide("accept"), r: () => decide("reject"), c: () => $("comment").focus(), j: () => step(1), k: () => step(-1), "?": () => $("help").showModal() };
const ARROWS = { ArrowRight: () => step(1), ArrowLeft: () => step(-1) };

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.key === "Escape") return document.activeElement.blur();
  if ($("work").hidden || event.target.closest("input, textarea")) return;
  const act = ($("keys").checked && KEYS[event.key]) || ARROWS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

skipByFocus();
$("title").textContent = `Review of ${title}`;
$("about").textContent = counted(sample.length, "episode");
$("who").addEventListener("submit", (event) => {
  event.preventDefault();
  if ($("name").value.trim()) begin($("name").value.trim());
});
for (const verdict of ["accept", "reject"]) $(verdict).addEventListener("click", () => decide(verdict));
$("previous").addEventListener("click", () => step(-1));
$("next").addEventListener("click", () => step(1));
$("comment").addEventListener("input", () => sessionStorage.setItem(draft(place), $("comment").value));
$("decision").addEventListener("submit", (event) => event.preventDefault());
$("to-summary").addEventListener("click", summarise);
$("to-help").addEventListener("click", () => $("help").showModal());
document.addEventListener("keydown", press);
window.addEventListener("hashchange", show);
if (sessionStorage.getItem("reviewer")) begin(sessionStorage.getItem("reviewer"));
else $("who").hidden = false;
