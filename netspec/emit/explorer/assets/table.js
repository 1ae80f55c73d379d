"use strict";

// The shape table: a row for each op and level in sight, as a tree.

const tablePane = document.querySelector("#table .scroll");
const table = tablePane.querySelector("table");
const body = table.querySelector("tbody");

/** The cells that change with the sizes, by their row's number. */
const liveTable = new Fresh(() => {
  const height = rows[0].element.offsetHeight;
  const first = Math.floor(tablePane.scrollTop / height) - 2;
  const last = first + Math.ceil(tablePane.clientHeight / height) + 4;
  return (at) => first <= at && at <= last;
});
/** Rows in order, each with its element, path, spot and lines; a spot with several ops has a row for each. */
let rows = [];

function html(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Write all rows anew, as after a level was opened. */
function drawTable() {
  liveTable.clear();
  rows = [];
  addRows(rootSpots(), 1);
  body.replaceChildren(...rows.map((row) => row.element));
  liveTable.writeAll();
  fitColumns();
}

function refreshTable() {
  liveTable.refresh();
  fitColumns();
}

const CELL = "12px ";
const CELL_PAD = 14;
const BRIEF = 64;
const KEPT_WIDTH = 84;
let brief = false;

/** Share the pane's width. Where exact numbers leave too little, they are told in short; then ops give way, then shapes. */
function fitColumns() {
  if (network.told) return fitCompared();
  const pane = tablePane.clientWidth;
  if (!pane) return;
  const name = Math.min(0.3 * pane, Math.max(80, ...rows.map(nameWidth)));
  const op = Math.min(0.3 * pane, Math.max(60, widthOfLongest(rows.map((row) => row.op)) + CELL_PAD));
  const shape = Math.max(60, widthOfLongest(rows.map(shapesText)) + CELL_PAD);
  const whole = totals();
  const exactly = (kind) => Math.max(BRIEF, widthOf(exact(whole[kind]), CELL) + CELL_PAD);
  const last = ["memory", "time", "apart"].includes(state.heat) ? KEPT_WIDTH : 0;
  const wanted = name + op + shape + exactly("params") + (last || exactly("macs")) > pane;
  const [params, macs] = wanted ? [BRIEF, BRIEF] : [exactly("params"), exactly("macs")];
  const room = pane - name - params - (last || macs);
  const widths = { name, shape: Math.min(shape, room - Math.min(op, 100)), params, macs };
  for (const [column, width] of Object.entries(widths)) table.style.setProperty(`--${column}`, `${width}px`);
  if (wanted === brief) return;
  brief = wanted;
  liveTable.refresh();
}

function widthOfLongest(texts) {
  return widthOf(texts.reduce((one, other) => (other.length > one.length ? other : one), ""), CELL);
}

function nameWidth({ spot, depth, name }) {
  const pill = spot.item.count ? widthOf(`×${spot.item.count}`, "700 10px ") + 16 : 0;
  return 12 + 14 * (depth - 1) + 16 + 7 * copiesText(spot.item, name).length + pill + (spot.training ? 10 : 0) + (frozen.size ? 16 : 0) + 8;
}

function addRows(spots, depth) {
  for (const spot of spots) {
    if (spot.item.nodes) spot.item.nodes.forEach((number, at) => addOp(spot, number, at, depth));
    else if (spot.item.port) addPort(spot, depth);
    else addLevel(spot, depth);
    if (isOpen(spot)) addRows(insideOf(spot), depth + 1);
  }
}

function addOp(spot, number, at, depth) {
  const node = network.nodes[number];
  const name = (baseOf(spot) + node.name).slice(spot.prefix.length);
  const what = [html("span", { class: "op", "data-family": node.family }, node.op), ` ${node.arguments ?? ""}`];
  const notes = [at === 0 ? spot.item.sources : "", node.shares ? `= ${node.shares}` : ""];
  const cost = () => nodeCostAt(spot, number);
  const lines = [lineKey(node.at)];
  addRow({ spot, depth, path: baseOf(spot) + node.name, name, what, notes, tensors: node.makes, cost, lines });
}

function addPort(spot, depth) {
  const { item } = spot;
  const what = [html("span", { class: "op" }, item.port)];
  addRow({ spot, depth, path: item.path, name: item.name, what, notes: [], tensors: [item.tensor], cost: null, lines: [] });
}

function addLevel(spot, depth) {
  const { item } = spot;
  const level = network.levels[item.level];
  const shared = item.shares ? `= ${item.shares}` : "";
  const what = [html("span", { class: "op" }, shared || (level.loop ? `scan ${level.loop.text}` : level.title ?? ""))];
  const cost = () => spotCost(spot);
  const name = item.path;
  const lines = linesOf(spot);
  addRow({ spot, depth, path: spot.path, name, what, notes: [item.sources], tensors: item.makes ?? [], cost, lines });
}

function addRow({ spot, depth, path, name, what, notes, tensors, cost, lines }) {
  if (state.only && !markOf(path)) return;
  const { item } = spot;
  const element = html("tr", { role: "row", "aria-level": depth, tabindex: -1, "data-path": path, "data-spot": spot.path });
  const first = html("td", { class: "name", role: "rowheader" });
  first.style.setProperty("--depth", depth - 1);
  const mark = html("span", { class: "chevron", "aria-hidden": "true" });
  const line = html("div", {}, mark, html("span", { class: "text" }, copiesText(item, name)));
  if (item.count) line.append(html("span", { class: "pill" }, `×${item.count}`));
  if (cost && isFrozen(path) && cost().params) line.append(rowFlake());
  if (spot.training) line.append(html("span", { class: "training", title: "in training only" }, "†"));
  first.append(line);
  if (isLevel(item)) element.classList.add("level");
  if (canOpen(item)) {
    element.setAttribute("aria-expanded", isOpen(spot));
    element.dataset.opens = "";
  }
  const told = notes.filter(Boolean).join(" ");
  const op = html("td", { class: "what" }, ...what, told ? html("span", { class: "told" }, ` ${told}`) : "");
  op.title = op.textContent.trim();
  first.title = item.port ? name : path;
  if (network.told) addMarks(element, first, op, path);
  const shape = html("td", { class: "shape" });
  const numbers = ["params", "macs", "memory", "time", "apart"].map((kind) => html("td", { class: `number ${kind}` }));
  element.append(first, op, shape, ...numbers);
  const at = rows.length;
  liveTable.add(at, () => {
    sayShape(shape, at);
    if (cost && network.told) fillCompared(numbers, cost(), spot, path);
    else if (cost) fillNumbers(numbers, cost(), spot);
  });
  const { was } = network.told?.[path] ?? {};
  if (was) lines = [...lines, lineKey(was)];
  rows.push({ element, path, spot, lines, was: was ? lineKey(was) : "", depth, name, op: what.map((part) => part.textContent ?? part).join(""), tensors });
}

function rowFlake() {
  const flake = svg("svg", { class: "flake", viewBox: "-6 -6 12 12", role: "img", "aria-label": "frozen" }, drawFlake(0, 0));
  flake.append(svg("title", {}, "frozen: not trained"));
  return flake;
}

/** The first of a step's outputs, and how many more there are. */
function shapesText({ tensors }) {
  const more = tensors.length > 1 ? ` +${tensors.length - 1}` : "";
  return tensors.length ? shapeText(tensors[0]) + more : "";
}

/** What a row makes; ″ where it is that of the row above. */
function sayShape(cell, at) {
  const { tensors } = rows[at];
  const above = rows[at - 1]?.tensors[0];
  const same = tensors.length === 1 && above !== undefined && shapeText(tensors[0]) === shapeText(above);
  cell.classList.toggle("same", same);
  cell.textContent = same ? "″" : shapesText(rows[at]);
  cell.title = tensors.map(shapeText).join(", ");
}

/** `0–5` for copies in a row. */
function copiesText(item, name) {
  return item.count && isLevel(item) ? `${name}–${item.covers.at(-1).split(".").pop()}` : name;
}

function fillNumbers(cells, cost, spot) {
  const number = (count) => (brief && count ? short(count) : exact(count));
  const told = { params: number(cost.params), macs: number(cost.macs) };
  told.memory = cost.memory ? shortBytes(cost.memory) : "";
  told.time = cost.time ? shortTime(cost.time) : "";
  told.apart = cost.apart ? apartText(cost) : "";
  for (const cell of cells) {
    const kind = cell.classList[1];
    cell.textContent = told[kind];
    cell.title = kind === "time" ? timeText(cost) : kind === "apart" ? told.apart : exact(cost[kind]);
    const shown = kind === state.heat && !isOpen(spot);
    const part = shown ? heatIn(cost, spot) / largestHeat : 0;
    cell.style.setProperty("--part", `${Math.round(100 * Math.min(1, part))}%`);
  }
}

/** `4.8e-4`: relative to the layer's largest number. */
function apartText({ apart }) {
  return (Number(apart) / 1e9).toExponential(1);
}

/** `1.2 ms forward, 4.1 ms a training step`; nothing where no time is told. */
function timeText({ forward, time }) {
  return [forward ? `${shortTime(forward)} forward` : "", time ? `${shortTime(time)} a training step` : ""].filter(Boolean).join(", ");
}

function listenToTable() {
  body.addEventListener("pointerover", (event) => hover(rowAt(event)?.spot.path ?? "", rowAt(event)));
  body.addEventListener("pointerleave", () => hover(""));
  body.addEventListener("click", (event) => {
    const row = rowAt(event);
    if (!row) return;
    if (event.target.closest(".chevron") && canOpen(row.spot.item)) toggle(row.spot.path);
    select(row.path, { table: false });
    focusRow(row.path);
  });
  body.addEventListener("dblclick", (event) => {
    const row = rowAt(event);
    if (row && canOpen(row.spot.item) && !event.target.closest(".chevron")) toggle(row.spot.path);
  });
  body.addEventListener("keydown", tableKey);
}

function rowAt(event) {
  const element = event.target.closest?.("tr");
  return rows.find((row) => row.element === element);
}

function rowIndex(path) {
  return rows.findIndex((row) => row.path === path);
}

/** The arrows of a tree: up and down go along the rows, left closes or goes to the level around, right opens. */
function tableKey(event) {
  const at = rows.findIndex((row) => row.element === event.target.closest("tr"));
  if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
  const row = rows[at];
  const to = tableMove(event.key, at, row);
  const toggles = event.key === "Enter" || event.key === " " || to === "toggle";
  if (to === undefined && !toggles) return;
  event.preventDefault();
  if (toggles) {
    if (canOpen(row.spot.item)) toggle(row.spot.path);
    select(row.path);
    return focusRow(row.path);
  }
  const next = rows[Math.max(0, Math.min(rows.length - 1, to))];
  select(next.path);
  next.element.focus();
}

function tableMove(key, at, row) {
  const opens = canOpen(row.spot.item);
  const open = isOpen(row.spot);
  if (key === "ArrowRight") return opens && !open ? "toggle" : open ? at + 1 : undefined;
  if (key === "ArrowLeft") return open ? "toggle" : rows.findIndex((other) => `${other.spot.path}.` === row.spot.prefix);
  return { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1, PageDown: at + 15, PageUp: at - 15 }[key];
}

function focusRow(path) {
  rows[rowIndex(path)]?.element.focus({ preventScroll: true });
}
