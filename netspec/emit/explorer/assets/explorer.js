"use strict";

// What holds the panes together: hovering, selecting, opening, sizes, heat, light and dark.

// Light: what is hovered or selected, in all three panes

let lit = [];

function clearLight() {
  for (const element of lit) element.classList.remove("lit");
  lit = [];
}

function light(element) {
  if (!element) return;
  element.classList.add("lit");
  lit.push(element);
}

/** Light up a spot, or one row of it, with its card, rows and lines. */
function hover(path, row = null) {
  clearLight();
  if (!path) return;
  const found = row ? [row] : rows.filter((each) => each.spot.path === path);
  light(cards.get(path)?.element);
  for (const each of found) light(each.element);
  if (!row && found.length) nearest(found[0].element, tablePane, 32);
  const keys = found.flatMap(({ lines, spot, was }) => (canOpen(spot.item) ? [lines[0], was].filter(Boolean) : lines));
  if (keys.length) bringLine(keys[0]);
  for (const key of keys) light(yamlLines.get(key));
}

/** Light up what comes from a line of the YAML, by the keys that it is known by. */
function hoverLines(keys) {
  clearLight();
  const found = rows.filter(({ lines }) => keys.some((key) => lines.includes(key)));
  if (found.length) light(yamlLines.get(keys[0]));
  for (const row of found) {
    light(row.element);
    light(cards.get(row.spot.path)?.element);
  }
  if (found.length) nearest(found[0].element, tablePane, 32);
}

/** The spot that a row's path belongs to. */
function spotOfPath(path) {
  return rows.find((row) => row.path === path)?.spot.path ?? "";
}

/** Select a row by its path, and bring it into sight in the panes that are asked for. */
function select(path, { table = true, source = true, diagram = true } = {}) {
  state.selected = path;
  const row = rows[rowIndex(path)];
  for (const each of document.querySelectorAll(".selected")) each.classList.remove("selected");
  for (const each of rows) each.element.tabIndex = -1;
  if (!row) {
    if (rows.length) rows[0].element.tabIndex = 0;
    return showStatus(null);
  }
  row.element.classList.add("selected");
  row.element.tabIndex = 0;
  cards.get(row.spot.path)?.element.classList.add("selected");
  if (table) nearest(row.element, tablePane, 32);
  if (diagram) bringCard(row.spot.path);
  if (source && row.lines.length) bringLine(row.lines[0], true);
  markLines();
  showStatus(row);
}

/** Mark the lines of what is selected. */
function markLines() {
  const row = rows[rowIndex(state.selected)];
  for (const element of yamlLines.values()) element.classList.remove("selected");
  for (const key of [row?.lines[0], row?.was]) yamlLines.get(key)?.classList.add("selected");
}

/** What is selected, in one line below the panes. */
function showStatus(row) {
  const status = document.getElementById("status");
  status.replaceChildren();
  if (!row) {
    const keys = [["/", "search"], ["↑ ↓ ← →", "table"], ["+ −", "zoom"], ["0", "fit"], ["1 2 3", "panes"], ["Esc", "clear"]];
    if (network.told) keys.push(["n p", "changes"]);
    status.append(...keys.map(([key, what]) => html("span", {}, html("kbd", {}, key), ` ${what}`)));
    return;
  }
  const { spot } = row;
  const cost = rowCost(row);
  const whole = totals();
  const part = (kind) => (whole[kind] ? ` (${((100 * Number(cost[kind])) / Number(whole[kind])).toFixed(1)}%)` : "");
  const costs = network.told ? comparedStatus(row, cost) : [
    cost.params ? `${exact(cost.params)} params${part("params")}` : "",
    cost.macs ? `${exact(cost.macs)} MACs${part("macs")}` : "",
    cost.memory ? `${shortBytes(cost.memory)} kept for the backward pass${part("memory")}` : "",
    timeText(cost) + (cost.time ? part("time") : ""),
    cost.apart ? `${apartText(cost)} apart: ${network.apart.of}` : "",
    spot.item.count ? `${spot.item.count} in a row, each` : "",
    isFrozen(row.path) && cost.params ? "frozen: not trained" : "",
    spot.training ? "in training only" : "",
  ].filter(Boolean);
  status.append(html("b", {}, spot.item.port ? spot.item.name : row.path), ...costs.map((text) => html("span", {}, text)));
}

function rowCost(row) {
  const { item } = row.spot;
  if (!item.nodes) return spotCost(row.spot);
  const number = item.nodes.find((each) => baseOf(row.spot) + network.nodes[each].name === row.path);
  return nodeCostAt(row.spot, number);
}

// Opening and closing

function redraw() {
  findLargestHeat();
  drawTable();
  drawDiagram();
  markFound();
  showDepth();
}

function toggle(path) {
  const held = cards.get(path);
  if (state.open.has(path)) state.open.delete(path);
  else state.open.add(path);
  redraw();
  const now = cards.get(path);
  if (held && now) panBy((held.x + held.width / 2 - now.x - now.width / 2) * view.scale, (held.y - now.y) * view.scale);
}

/** A click on a card selects it; on a level it opens or closes it too. */
function clickSpot(path) {
  const row = rows.find((each) => each.spot.path === path);
  if (!row) return;
  if (canOpen(row.spot.item)) toggle(path);
  select(row.path, { diagram: false });
}

/** Open all that is around a path, and select it. */
function reveal(path) {
  const way = wayTo(path);
  if (!way.length) return false;
  const closed = way.slice(0, -1).filter((each) => !state.open.has(each.path));
  for (const each of closed) state.open.add(each.path);
  if (closed.length) redraw();
  const spot = way.at(-1);
  const exactly = rows.find((row) => row.path === spot.prefix + spot.start);
  const found = exactly ?? rows.find((row) => row.spot.path === spot.path);
  if (found) select(found.path);
  return Boolean(found);
}

function setDepth(depth) {
  openTo(Math.max(0, Math.min(deepest(), depth)));
  redraw();
  fitWidth();
  select(rowIndex(state.selected) < 0 ? "" : state.selected, { diagram: false, source: false });
}

/** How many levels stand open throughout; where they differ, the most. */
function showDepth() {
  const depth = (spots) => Math.max(0, ...spots.filter(isOpen).map((spot) => 1 + depth(insideOf(spot))));
  const found = depth(rootSpots());
  document.getElementById("depth").textContent = String(found);
  document.getElementById("fewer").disabled = found === 0;
  document.getElementById("more").disabled = found === deepest() && [...everySpot()].every((s) => !canOpen(s.item) || isOpen(s));
}

// Sizes

function drawDims() {
  const place = document.getElementById("dims");
  for (const dim of network.dims) {
    const most = Math.max(4 * dim.size, 4 * dim.least, 16);
    const range = { type: "range", min: dim.least, max: most, step: 1, value: dim.size, "aria-label": `${dim.name}, slider` };
    const slider = html("input", range);
    const number = html("input", { type: "number", min: dim.least, step: 1, value: dim.size, "aria-label": dim.name });
    const label = html("span", { class: "symbol" }, dim.name);
    slider.addEventListener("input", () => setSize(dim.name, slider.value, number));
    number.addEventListener("input", () => setSize(dim.name, number.value, slider));
    place.append(html("div", { class: "dim", "data-dim": dim.name }, label, slider, number));
  }
  document.getElementById("reset").addEventListener("click", resetSizes);
}

function setSize(name, text, other) {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) return;
  state.sizes.set(name, BigInt(text));
  other.value = text;
  showNumbers(true);
  refresh();
}

function resetSizes() {
  for (const dim of network.dims) {
    state.sizes.set(dim.name, BigInt(dim.size));
    for (const input of document.querySelectorAll(`#dims [data-dim="${CSS.escape(dim.name)}"] input`)) input.value = dim.size;
  }
  showNumbers(false);
  refresh();
}

function showNumbers(wanted) {
  state.numbers = wanted;
  document.getElementById("numbers").checked = wanted;
}

let waiting = false;

/** Say everything anew at the sizes of the moment, at the next frame. */
function refresh() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    refreshNow();
  });
}

function refreshNow() {
  recompute();
  findLargestHeat();
  refreshTable();
  liveDiagram.refresh();
  offerTime();
  showTotals();
  showNotice();
  showStatus(rows[rowIndex(state.selected)] ?? null);
  const changed = network.dims.some((dim) => state.sizes.get(dim.name) !== BigInt(dim.size));
  document.getElementById("reset").hidden = !changed;
}

function showTotals() {
  if (network.told) return comparedTotals();
  const { params, macs, memory, aside } = totals();
  const told = [
    ["parameters", short(params - aside), `${exact(params)}${aside ? `, ${exact(aside)} of them in training only` : ""}`],
    ...trainedTotal(params),
    ["MACs", short(macs), exact(macs) || "0"],
    ["FLOPs", short(2n * macs), `${exact(2n * macs) || "0"}: two for each MAC`],
    ["kept in training", shortBytes(memory), `${exact(memory) || "0"} bytes that one forward pass keeps for the backward pass, in float32`],
    ...timeTotals(),
  ];
  const sizes = [...state.sizes].map(([name, size]) => `${name}=${size}`);
  document.getElementById("at").textContent = sizes.length ? `costs at ${sizes.join(", ")}` : "";
  document.getElementById("totals").replaceChildren(
    ...told.map(([name, text, whole]) => html("div", { title: whole, "data-total": name }, html("dt", {}, name), html("dd", {}, text))),
  );
}

/** How long a forward pass and a training step take, where the page knows. */
function timeTotals() {
  const { forward, time } = totals();
  const told = [["forward", forward], ["training step", time]].filter(([, nanoseconds]) => nanoseconds);
  return told.map(([name, nanoseconds]) => [name, shortTime(nanoseconds), `foretold for ${network.time.of}`]);
}

/** How many parameters are trained, where some are not. */
function trainedTotal(params) {
  const still = BigInt(network.frozen.params);
  return still ? [["trained", short(params - still) || "0", `${exact(params - still) || "0"}, the other ${exact(still)} are frozen`]] : [];
}

/** What must hold of the sizes, each with a way to the line that asks for it. */
function drawFacts() {
  if (network.sections) return drawSections();
  const place = document.getElementById("constraints");
  place.hidden = !network.constraints.length;
  for (const { text, at } of network.constraints) {
    const button = html("button", { type: "button", title: "show the line" }, text);
    button.addEventListener("click", () => {
      togglePane("source", true);
      bringLine(lineKey(at));
      hoverLines([lineKey(at)]);
    });
    place.append(button);
  }
}

/** What the network needs and the sizes of the moment do not give. */
function showNotice() {
  const holds = ({ left, relation, right }) =>
    relation === ">=" ? sizeValues[left] >= sizeValues[right] : sizeValues[left] === sizeValues[right];
  const broken = network.requirements.filter((each) => !each.training && !holds(each));
  const notice = document.getElementById("notice");
  const first = network.dims.map(({ name, size }) => `${name}=${size}`).join(", ");
  const untimed = state.heat === "time" && !hasTimes() ? `Times are known at ${first} alone.` : "";
  notice.textContent = broken.length ? `It does not run at these sizes: ${broken[0].text}` : untimed;
  notice.hidden = !notice.textContent;
}

// Controls

/** Offer heat by time where there are times at the sizes of the moment. */
function offerTime() {
  const button = document.querySelector('#heat button[value="time"]');
  button.hidden = !times.size;
  button.disabled = !hasTimes();
  button.title = button.disabled ? "times are known at the first sizes: reset them" : `how long a training step takes: ${network.time?.of}`;
}

/** Offer heat by difference where the page holds two forms of the network against each other. */
function offerDifference() {
  const button = document.querySelector('#heat button[value="apart"]');
  button.hidden = !network.apart;
  button.title = `what each layer adds to the difference of ${network.apart?.of}`;
}

function setHeat(kind) {
  state.heat = kind;
  document.documentElement.dataset.heat = kind;
  for (const button of document.querySelectorAll("#heat button")) {
    button.setAttribute("aria-pressed", button.value === kind);
  }
  findLargestHeat();
  refreshTable();
  liveDiagram.refresh();
  showNotice();
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function listenToControls() {
  const on = (id, action) => document.getElementById(id).addEventListener("click", action);
  on("fewer", () => setDepth(Number(document.getElementById("depth").textContent) - 1));
  on("more", () => setDepth(Number(document.getElementById("depth").textContent) + 1));
  on("zoom-in", () => zoomBy(1.25));
  on("zoom-out", () => zoomBy(0.8));
  on("fit", fitAll);
  on("theme", () => (document.documentElement.dataset.theme = isDark() ? "light" : "dark"));
  document.getElementById("heat").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) setHeat(button.value);
  });
  document.getElementById("numbers").addEventListener("change", (event) => {
    state.numbers = event.target.checked;
    refresh();
  });
}

const KEYS = {
  "/": () => field.select() || field.focus(),
  "+": () => zoomBy(1.25),
  "=": () => zoomBy(1.25),
  "-": () => zoomBy(0.8),
  0: fitAll,
  1: () => togglePane("diagram"),
  2: () => togglePane("table"),
  3: () => togglePane("source"),
  n: () => network.told && nextChange(1),
  p: () => network.told && nextChange(-1),
  Escape: () => {
    clearLight();
    select("");
  },
};

function listenToKeys() {
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches?.("input:not([type=range]):not([type=checkbox])");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
    event.preventDefault();
    KEYS[event.key]();
  });
}

function start() {
  document.title = `${network.name} · netspec`;
  document.getElementById("name").textContent = network.name;
  document.getElementById("doc").textContent = (network.doc ?? "").split("\n")[0];
  document.getElementById("doc").title = network.doc ?? "";
  document.getElementById("sizes").hidden = !network.dims.length;
  recompute();
  drawDims();
  drawFacts();
  drawTabs();
  redraw();
  showSource(0);
  showTotals();
  offerTime();
  offerDifference();
  setHeat(network.apart ? "apart" : "none");
  select("");
  if (network.told) startCompared();
  fitWidth();
  for (const listen of [listenToDiagram, listenToTable, listenToSource, listenToSearch]) listen();
  for (const listen of [listenToControls, listenToKeys]) listen();
  new ResizeObserver(onResize).observe(canvas);
  new ResizeObserver(fitColumns).observe(tablePane);
}

let paneWidth = canvas.clientWidth;

/** Keep the middle where it is when the pane's width changes; a pane that is hidden has none. */
function onResize() {
  if (!canvas.clientWidth) return;
  if (paneWidth) panBy((canvas.clientWidth - paneWidth) / 2, 0);
  else fitWidth();
  paneWidth = canvas.clientWidth;
  paneHeight = canvas.clientHeight;
}

start();
