"use strict";

// Two networks as one diagram: what each path is worth in both, what differs about it, and the texts as a diff.

const SIGNS = { added: "+", removed: "−", changed: "~", follows: "·", inside: "~" };
const MEANINGS = {
  added: "added",
  removed: "removed",
  changed: "changed",
  follows: "as before, in other sizes",
  inside: "something in it differs",
};
const WORST = ["removed", "added", "changed", "inside", "follows"];
const COSTS = ["params", "macs", "memory"];
const MARK_WIDTH = 24;
const BOTH = "10.5px ";
const CONTEXT = 3;

/** What some paths cost in both networks together: `old`, `new`, and what there is more than before. */
function comparedCost(paths) {
  const sum = (side) =>
    Object.fromEntries(
      COSTS.map((kind, at) => [kind, paths.reduce((total, path) => total + BigInt(network.told[path]?.[side]?.[at] ?? 0), 0n)]),
    );
  const [before, after] = [sum("old"), sum("new")];
  const more = Object.fromEntries(COSTS.map((kind) => [kind, after[kind] - before[kind]]));
  return { ...more, old: before, new: after, forward: 0n, time: 0n, apart: 0n };
}

/** What differs about a spot: that of its ops which says the most. */
function markOfSpot(spot) {
  const kinds = pathsOf(spot).map(markOf);
  const kind = WORST.find((each) => kinds.includes(each)) ?? "";
  return kind === "inside" && isOpen(spot) ? "" : kind;
}

function notesOf(path) {
  return network.told[path]?.notes ?? [];
}

/** `+9,408`, `−1.2M`; nothing for none. */
function signed(value, text = short) {
  return value ? (value > 0n ? "+" : "−") + text(value > 0n ? value : -value) : "";
}

/** `+86.5%` of what was before. */
function share(before, after) {
  if (!before || before === after) return "";
  const part = (100 * Number(after - before)) / Number(before);
  const text = Math.abs(part) < 0.05 ? "<0.1" : Math.abs(part).toLocaleString("en-US", { maximumFractionDigits: 1, minimumFractionDigits: 1 });
  return `${part > 0 ? "+" : "−"}${text}%`;
}

function textOf(kind) {
  return kind === "memory" ? shortBytes : short;
}

/** `11.7M → 21.8M`; one number where it stays, or where only one network has it. */
function bothText(kind, cost, mark) {
  const [before, after] = [textOf(kind)(cost.old[kind]), textOf(kind)(cost.new[kind])];
  if (mark === "added" || cost.old[kind] === cost.new[kind]) return after;
  if (mark === "removed") return before;
  const unit = after.match(/\D*$/)[0];
  return unit && before.endsWith(unit) && kind === "memory" ? `${before.slice(0, -unit.length)} → ${after}` : `${before} → ${after}`;
}

/** A card's rows: what there is more of, or what it costs in both, and what differs. */
function comparedRows(spot) {
  const cost = spotCost(spot);
  const each = spot.item.count ? " each" : "";
  const changes = [["params", "params"], ["macs", "MACs"]].filter(([kind]) => cost[kind]);
  const told = changes.map(([kind, name]) => signed(cost[kind]) + (changes.length > 1 ? "" : ` ${name}`)).join(" · ");
  const whole = cost.new.params || cost.new.macs ? costText(cost.new) : "";
  const notes = pathsOf(spot).flatMap((path) => (markOf(path) === "changed" ? notesOf(path) : [])).join("; ");
  const rows = told || whole ? [{ text: () => (told || whole) + each }] : [];
  return notes ? [...rows, { text: () => notes, of: "notes" }] : rows;
}

/** The sign in a card's corner. */
function drawMark(kind, x, y) {
  if (!kind) return [];
  const sign = svg("text", { class: "mark-sign", x, y: y + 0.5 }, SIGNS[kind]);
  return [svg("circle", { class: "mark-ground", cx: x, cy: y, r: 8 }), sign];
}

/** The sign at the start of a row, and what differs below its op. */
function addMarks(element, first, op, path) {
  const kind = markOf(path);
  const sign = html("span", { class: "mark", title: MEANINGS[kind] ?? "" }, SIGNS[kind] ?? "");
  if (kind) sign.append(html("span", { class: "unseen" }, ` ${MEANINGS[kind]}: `));
  first.querySelector("div").prepend(sign);
  if (kind) element.classList.add(`mark-${kind}`);
  const notes = notesOf(path);
  if (notes.length) op.append(html("div", { class: "notes", title: notes.join("\n") }, notes.join("; ")));
}

function fillCompared(cells, cost, spot, path) {
  for (const cell of cells) {
    const kind = cell.classList[1];
    if (!COSTS.includes(kind)) continue;
    const more = signed(cost[kind], textOf(kind));
    const both = cost.old[kind] || cost.new[kind] ? bothText(kind, cost, markOf(path)) : "";
    const alone = ["added", "removed"].includes(markOf(path));
    cell.replaceChildren(...(more && alone ? [more] : more ? [more, html("div", { class: "both" }, both)] : [html("span", { class: "as-before" }, both)]));
    cell.title = cost.old[kind] || cost.new[kind] ? `${exact(cost.old[kind]) || 0} → ${exact(cost.new[kind]) || 0}` : "";
    const part = kind === state.heat && !isOpen(spot) ? heatIn(cost, spot) / largestHeat : 0;
    cell.style.setProperty("--part", `${Math.round(100 * Math.min(1, part))}%`);
  }
}

function fitCompared() {
  const pane = tablePane.clientWidth;
  if (!pane) return;
  const name = Math.min(0.36 * pane, Math.max(80, ...rows.map((row) => nameWidth(row) + MARK_WIDTH)));
  const widths = { name, shape: 0 };
  for (const kind of COSTS) {
    const both = [...body.querySelectorAll(`.${kind} .both`)].map((each) => widthOf(each.textContent, BOTH));
    widths[kind] = Math.min(0.19 * pane, Math.max(52, ...both) + CELL_PAD);
  }
  for (const [column, width] of Object.entries(widths)) table.style.setProperty(`--${column}`, `${width}px`);
}

/** What is said of a row below the panes. */
function comparedStatus(row, cost) {
  const mark = markOf(row.path);
  const names = { params: "params", macs: "MACs", memory: "kept for the backward pass" };
  const costs = COSTS.filter((kind) => cost.old[kind] || cost.new[kind]).map((kind) => {
    const more = signed(cost[kind], textOf(kind));
    return `${bothText(kind, cost, mark)} ${names[kind]}${more && !["added", "removed"].includes(mark) ? ` (${more})` : ""}`;
  });
  return [mark ? `${SIGNS[mark]} ${MEANINGS[mark]}` : "as before", ...notesOf(row.path), ...costs];
}

function comparedTotals() {
  const cost = totals();
  const titles = { params: "parameters", macs: "MACs", memory: "kept in training" };
  document.getElementById("totals").replaceChildren(
    ...COSTS.map((kind) => {
      const same = cost.old[kind] === cost.new[kind];
      const told = same ? "as before" : `${signed(cost[kind], textOf(kind))}  ${share(cost.old[kind], cost.new[kind])}`;
      const title = `${exact(cost.old[kind]) || 0} → ${exact(cost.new[kind]) || 0}`;
      const [before, after] = [cost.old, cost.new].map((each) => textOf(kind)(each[kind]));
      const text = same ? after : `${before} → ${after}`;
      return html("div", { title, "data-total": titles[kind] }, html("dt", {}, titles[kind]), html("dd", {}, text), html("dd", { class: "more" }, told));
    }),
  );
}

/** What differs around the layers, and what the signs mean. */
function drawSections() {
  const place = document.getElementById("constraints");
  place.setAttribute("aria-label", "What differs around the layers");
  place.tabIndex = 0; // it scrolls where there is much
  const legend = ["added", "removed", "changed", "follows"].map((kind) => marked(kind, MEANINGS[kind]));
  place.replaceChildren(
    html("span", { class: "legend" }, ...legend),
    ...network.sections.map(({ kind, text }) => (kind ? marked(kind, text) : html("span", {}, text))),
  );
  place.hidden = false;
}

function marked(kind, text) {
  return html("span", { class: `mark-${kind}` }, html("span", { class: "mark", "aria-hidden": "true" }, SIGNS[kind]), text);
}

// Going from change to change

let change = -1;

function nextChange(step) {
  const count = network.differing.length;
  if (!count) return;
  change = change < 0 && step < 0 ? count - 1 : (change + step + count) % count;
  reveal(network.differing[change]);
  showChange();
}

function showChange() {
  const count = network.differing.length;
  document.getElementById("change").textContent = count ? `${change + 1 || "–"} / ${count}` : "none";
}

// The texts

/** The gaps between differences that the reader has opened, by file and first line. */
const unfolded = new Set();

function linesOfPair(number) {
  const { old, new: now, lines } = network.pairs[number];
  return lines.map(([was, is, text]) => ({
    text,
    key: is ? `${now}:${is}` : `${old}:${was}`,
    was: was && is ? `${old}:${was}` : "",
    side: !was ? "added" : !is ? "removed" : "",
    numbers: [was || "", is || ""],
  }));
}

/** The lines of a file with its long stretches without a difference folded, unless it has none at all. */
function foldedLines(number) {
  const lines = linesOfPair(number);
  if (lines.length < 40 || !lines.some(({ side }) => side) || lines.every(({ side }) => side)) return lines;
  const found = [];
  for (let start = 0; start < lines.length; ) {
    let end = start;
    while (end < lines.length && !lines[end].side) end += 1;
    const [from, to] = [start === 0 ? 0 : start + CONTEXT, end === lines.length ? end : end - CONTEXT];
    if (to - from > CONTEXT && !unfolded.has(`${number}:${from}`)) {
      found.push(...lines.slice(start, from), { gap: `${number}:${from}`, count: to - from, held: lines.slice(from, to) }, ...lines.slice(to, end));
    } else found.push(...lines.slice(start, end));
    while (end < lines.length && lines[end].side) found.push(lines[end++]);
    start = end;
  }
  return found;
}

function gapLine({ gap, count, held }) {
  const button = html("button", { type: "button" }, `${count} lines as before`);
  button.addEventListener("click", () => unfold(gap));
  const line = html("li", { class: "gap" }, button);
  for (const { key, was } of held) for (const each of [key, was]) if (each) gaps.set(each, gap);
  return line;
}

const gaps = new Map();

function unfold(gap) {
  unfolded.add(gap);
  showSource(shownSource);
}

/** The file that a line's key belongs to. */
function pairOf(key) {
  const source = Number(key.split(":")[0]);
  return Math.max(0, network.pairs.findIndex((pair) => pair.old === source || pair.new === source));
}

function startCompared() {
  for (const element of document.querySelectorAll(".in-diff")) element.hidden = false;
  for (const element of document.querySelectorAll(".in-explorer")) element.hidden = true;
  document.getElementById("previous").addEventListener("click", () => nextChange(-1));
  document.getElementById("next").addEventListener("click", () => nextChange(1));
  document.querySelector("#only input").addEventListener("change", (event) => {
    state.only = event.target.checked;
    drawTable();
    select(rowIndex(state.selected) < 0 ? "" : state.selected, { diagram: false, source: false });
  });
  showChange();
}
