"use strict";

// The diagram: cards for what is closed, boxes for what is open, edges between them; pan and zoom.

const SVG = "http://www.w3.org/2000/svg";
const TITLE = "600 12px ";
const DETAIL = "11px ";
const ROW = "10px ";
const ROW_HEIGHT = 13;
const READABLE = 0.7;
const MARGIN = 60;
const FOLLOWERS = ["norm", "activation", "dropout"];

const canvas = document.querySelector(".canvas");
const sheet = document.getElementById("sheet");
const drawing = document.getElementById("drawing");
const pencil = document.createElement("canvas").getContext("2d");
const typeface = getComputedStyle(document.body).fontFamily;

/** Texts and looks that change with the sizes, each with the heights between which it is. */
const liveDiagram = new Fresh(() => {
  const [top, bottom] = [-view.y / view.scale, (paneHeight - view.y) / view.scale];
  return ([from, to]) => from < bottom && to > top;
});
let paneHeight = canvas.clientHeight;
let cards = new Map();
let extent = { x: 0, y: 0, width: 1, height: 1 };
const view = { x: 0, y: 0, scale: 1 };

function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const widths = new Map();

function widthOf(text, font) {
  const key = font + text;
  if (!widths.has(key)) {
    pencil.font = font + typeface;
    widths.set(key, pencil.measureText(text).width);
  }
  return widths.get(key);
}

/** A text in at most `width` pixels, with … for what is left out. */
function fitted(text, font, width) {
  if (widthOf(text, font) <= width) return text;
  let [low, high] = [0, text.length];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (widthOf(`${text.slice(0, middle)}…`, font) <= width) low = middle;
    else high = middle - 1;
  }
  return low ? `${text.slice(0, low)}…` : "";
}

/** What a card or a header says. Rows are functions, as costs change with the sizes. */
function cardTextOf(spot) {
  const { item } = spot;
  const cardText = item.port ? portText(spot) : item.nodes ? opText(spot) : levelText(spot);
  cardText.height = 26 + ROW_HEIGHT * cardText.rows.length + (cardText.rows.length ? 4 : 0);
  return cardText;
}

function portText({ item }) {
  const { dtype } = network.tensors[item.tensor];
  const differs = network.told ? notesOf(item.path).map((note) => ({ text: () => note, of: "notes" })) : [];
  const notes = [item.port, dtype === "float32" ? "" : dtype, item.optional ? "may be left out" : ""];
  const detail = [...notes, item.training ? "training only" : ""].filter(Boolean).join(" · ");
  return { family: "port", title: item.name, detail, rows: [{ text: () => shapeText(item.tensor) }, ...differs] };
}

function opText(spot) {
  const { item } = spot;
  const nodes = item.nodes.map((number) => network.nodes[number]);
  if (item.sign) return { circle: item.sign, family: nodes[0].family, rows: [] };
  const [head, ...tail] = nodes;
  const cardText = { family: head.family, title: head.title, detail: head.shares ? `= ${head.shares}` : head.detail ?? "" };
  cardText.rows = costRows(spot);
  if (head.sum) cardText.rows.push({ text: () => head.sum });
  if (tail.length && FOLLOWERS.includes(head.family)) cardText.title = nodes.map((node) => node.title).join(" + ");
  else if (tail.length) cardText.rows.push({ text: () => `+ ${tail.map(followerText).join(" + ")}`, family: tail[0].family });
  cardText.note = nameOf(spot);
  return cardText;
}

function followerText(node) {
  return node.family === "dropout" && node.detail ? `${node.title} ${node.detail}` : node.title;
}

function levelText(spot) {
  const { item } = spot;
  const level = network.levels[item.level];
  const name = nameOf(spot);
  const what = item.shares ? `= ${item.shares}` : level.loop ? `scan ${level.loop.text}` : level.title;
  const said = what || (isOpen(spot) ? "" : level.contents);
  const [title, detail] = /^[\d–]+$/.test(name) && said ? [said, name] : [name, said];
  return { family: level.title ? "block" : "group", level: true, title, detail: detail ?? "", rows: costRows(spot) };
}

/** Parameters and MACs in short, where there are any. */
function costRows(spot) {
  if (network.told) return comparedRows(spot);
  const { params, macs } = spotCost(spot);
  if (!params && !macs) return [];
  const each = spot.item.count ? " each" : "";
  return [{ text: () => costText(spotCost(spot)) + each }];
}

function costText({ params, macs }) {
  if (!macs) return `${short(params)} params`;
  return params ? `${short(params)} · ${short(macs)}` : `${short(macs)} MACs`;
}

/** Draw everything anew, as after a level was opened. */
function drawDiagram() {
  const arranged = arrange(rootSpots(), root, cardTextOf);
  liveDiagram.clear();
  cards = new Map();
  drawing.replaceChildren(...drawLevel(arranged, 0, 0));
  extent = { x: -arranged.left, y: 0, width: arranged.left + arranged.right, height: arranged.height };
  const [width, height] = [extent.width + 2 * MARGIN, extent.height + 2 * MARGIN];
  sheet.setAttribute("viewBox", `${extent.x - MARGIN} ${extent.y - MARGIN} ${width} ${height}`);
  sheet.setAttribute("width", width);
  sheet.setAttribute("height", height);
  liveDiagram.writeAll();
  applyView();
}

function drawLevel(arranged, x, y) {
  const edges = arranged.edges.map((edge) => drawEdge(edge, x, y));
  const items = arranged.items.map((item) => drawItem(item, x + item.x, y + item.y));
  return [...items, ...edges.flat()];
}

function drawItem(item, x, y) {
  const { spot, cardText } = item;
  const mark = network.told ? markOfSpot(spot) : "";
  const classes = ["spot", cardText.level ? "level" : cardText.family, spot.training ? "training" : "", mark ? `mark-${mark}` : ""];
  const made = svg("g", { class: classes.filter(Boolean).join(" "), "data-spot": spot.path });
  if (cardText.family && !cardText.level) made.dataset.family = cardText.family;
  made.append(svg("title", {}, tipOf(spot)));
  if (item.inside) made.append(...drawBox(item, x, y));
  else if (cardText.circle) made.append(...drawCircle(cardText, x, y));
  else made.append(...drawCard(item, x - item.left, y));
  if (mark) made.append(...drawMark(mark, x - item.left + 1, y + 1));
  liveDiagram.add([y, y + item.height], () => made.style.setProperty("--heat", `${heatOf(spot)}%`));
  if (canOpen(spot.item)) made.dataset.opens = "";
  const solid = item.inside ? cardText.height + GAP + 1 : item.height; // a header stays with what comes next
  const size = { width: item.left + item.right, height: item.height, solid };
  cards.set(spot.path, { element: made, x: x - item.left, y, ...size });
  if (!item.inside) return made;
  return svg("g", {}, made, ...drawLevel(item.inside, x, y + cardText.height));
}

function drawCard(item, x, y) {
  const { spot, cardText } = item;
  const parts = [svg("rect", { class: "card", x, y, width: CARD_WIDTH, height: cardText.height, rx: 5 })];
  parts.push(...drawBar(cardText, x, y));
  const indent = cardText.level && canOpen(spot.item) ? 27 : 15;
  if (indent === 27) parts.push(drawChevron(x + 18, y + 13, false));
  return [...parts, ...drawTexts(spot, cardText, x, y, CARD_WIDTH, indent)];
}

/** The bar at a card's left, in the colours of what its rows tell of. */
function drawBar(cardText, x, y) {
  const tail = cardText.rows.at(-1)?.family;
  const first = cardText.height - (tail ? ROW_HEIGHT + 4 : 0);
  const bars = [svg("path", { class: "bar", d: barPath(x, y, first, cardText.height) })];
  if (tail) bars.push(svg("path", { class: "bar", "data-family": tail, d: tailPath(x, y + first, cardText.height - first) }));
  return bars;
}

function barPath(x, y, height, whole) {
  const foot = height === whole ? `V${y + height - 5}a5 5 0 0 0 5 5z` : `V${y + height}h5z`;
  return `M${x + 5} ${y}a5 5 0 0 0 -5 5${foot}`;
}

function tailPath(x, y, height) {
  return `M${x} ${y}h5v${height}a5 5 0 0 1 -5 -5z`;
}

function drawCircle(cardText, x, y) {
  const radius = CIRCLE / 2;
  const sign = svg("text", { class: "sign", x, y: y + radius }, cardText.circle);
  return [svg("circle", { class: "card", cx: x, cy: y + radius, r: radius - 1 }), sign];
}

function drawBox(item, x, y) {
  const { spot, cardText } = item;
  const width = item.left + item.right;
  const left = x - item.left;
  const frame = svg("rect", { class: "frame", x: left, y, width, height: item.height, rx: 8 });
  const header = `M${left} ${y + cardText.height}V${y + 8}a8 8 0 0 1 8 -8h${width - 16}a8 8 0 0 1 8 8V${y + cardText.height}z`;
  const bar = svg("path", { class: `header ${cardText.family}`, d: header });
  const start = x - CARD_WIDTH / 2 - PAD; // above the spine, which is in sight where the whole width may not be
  return [frame, bar, drawChevron(start + 14, y + 13, true), ...drawTexts(spot, cardText, start, y, left + width - start, 24)];
}

/** The title with its detail, the count or the author's name at the right, and the rows below. */
function drawTexts(spot, cardText, x, y, width, indent) {
  const parts = [];
  const count = spot.item.count ? `×${spot.item.count}` : "";
  const pill = count ? widthOf(count, "700 10px ") + 10 : 0;
  if (count) parts.push(...drawPill(count, x + width - pill - 8, y + 7, pill));
  const still = isStill(spot);
  if (still) parts.push(drawFlake(x + width - (pill ? pill + 10 : 0) - 16, y + 13));
  const noteOnTitle = cardText.note && !cardText.rows.length;
  const noteWidth = cardText.note ? Math.min(widthOf(cardText.note, ROW), 90) + 8 : 0;
  const room = width - indent - 10 - (pill ? pill + 6 : 0) - (still ? 16 : 0) - (noteOnTitle ? noteWidth : 0);
  const title = fitted(cardText.title ?? "", TITLE, room);
  const rest = room - widthOf(title, TITLE) - 7;
  const detail = svg("tspan", { class: "detail", dx: 7 }, fitted(cardText.detail ?? "", DETAIL, rest));
  parts.push(svg("text", { class: "title", x: x + indent, y: y + 17 }, title, detail));
  if (cardText.note) {
    const at = { class: "note", x: x + width - 9, y: y + (noteOnTitle ? 17 : 32) };
    parts.push(svg("text", at, fitted(cardText.note, ROW, 90)));
  }
  cardText.rows.forEach((row, number) => {
    const text = svg("text", { class: `row ${row.of ?? ""}`, x: x + indent, y: y + 32 + ROW_HEIGHT * number });
    const space = width - indent - 10 - (number === 0 ? noteWidth : 0);
    liveDiagram.add([y, y + cardText.height], () => (text.textContent = fitted(row.text(), ROW, space)));
    parts.push(text);
  });
  return parts;
}

/** Whether a spot has parameters, and none of them is trained. */
function isStill(spot) {
  const paths = pathsOf(spot).filter((path) => isFrozen(path));
  return paths.length > 0 && spotCost(spot).params > 0n;
}

/** What stands for frozen: a snowflake of three strokes with branches. */
function drawFlake(x, y, size = 5.5) {
  const arm = `M0 ${-size}V${size}M${-size / 3} ${-size * 0.85}L0 ${-size * 0.5}L${size / 3} ${-size * 0.85}M${-size / 3} ${size * 0.85}L0 ${size * 0.5}L${size / 3} ${size * 0.85}`;
  const arms = [0, 60, 120].map((turn) => svg("path", { d: arm, transform: `rotate(${turn})` }));
  return svg("g", { class: "flake", transform: `translate(${x} ${y})` }, ...arms);
}

function drawPill(text, x, y, width) {
  const pill = svg("rect", { class: "pill", x, y, width, height: 14, rx: 7 });
  return [pill, svg("text", { class: "count", x: x + width / 2, y: y + 10.5 }, text)];
}

function drawChevron(x, y, open) {
  return svg("path", { class: "chevron", d: open ? `M${x - 4} ${y - 2}l4 4l4 -4` : `M${x - 2} ${y - 4}l4 4l-4 4` });
}

function drawEdge(edge, x, y) {
  const points = edge.points.map(([u, v]) => [u + x, v + y]);
  const kind = edge.mark ? edge.mark : edge.skip ? "skip" : edge.carries ? "carried" : "";
  const classes = ["edge", kind, edge.training ? "training" : ""].filter(Boolean).join(" ");
  const line = svg("path", { class: classes, d: pathThrough(points) });
  if (edge.arrow) line.setAttribute("marker-end", `url(#arrow${kind && `-${kind}`})`);
  if (!edge.said) return [line];
  const height = edge.beside[1] + y;
  const text = svg("text", { class: "label", x: edge.beside[0] + x, y: height });
  const said = () => edge.label || shapeText(edge.tensor);
  liveDiagram.add([height - ROW_HEIGHT, height], () => (text.textContent = fitted(said(), ROW, LONGEST_LABEL)));
  return [line, text];
}

/** What hovering says. */
function tipOf(spot) {
  const { item } = spot;
  const tensors = item.nodes ? network.nodes[item.nodes.at(-1)].makes : item.makes ?? [item.tensor];
  const ops = (item.nodes ?? []).map((number) => nodeText(network.nodes[number]));
  const shapes = tensors.map((tensor) => network.tensors[tensor].text).join(", ");
  const place = item.nodes ? network.nodes[item.nodes[0]].at : item.at;
  const where = place ? `${network.files?.[place[0]] ?? network.sources[place[0]].name}:${place[1]}` : "";
  const still = isStill(spot) ? "frozen: not trained" : "";
  return [item.port ? item.name : spot.path, ...ops, `→ ${shapes}`, still, where].filter(Boolean).join("\n");
}

function nodeText(node) {
  return [node.op, node.arguments].filter(Boolean).join(" ");
}

/** How much of its ground a card gives to heat, in percent. */
function heatOf(spot) {
  if (state.heat === "none" || isOpen(spot) || spot.item.port) return 0;
  return Math.round(85 * Math.sqrt(Math.min(1, heatIn(spotCost(spot), spot) / largestHeat)));
}

let largestHeat = 1;

/** The most that one thing in sight takes: what is hottest. */
function findLargestHeat() {
  largestHeat = state.heat === "apart" ? network.apart.bound || 1 : 1; // rounding alone is cold
  if (state.heat === "none") return;
  const visit = (spot) => {
    if (isOpen(spot)) insideOf(spot).forEach(visit);
    else largestHeat = Math.max(largestHeat, heatIn(spotCost(spot), spot));
  };
  rootSpots().forEach(visit);
}

// Pan and zoom

/** Move the sheet. It is moved as a whole, as CSS does: to move what is in an SVG, its texts would be laid out anew. */
function applyView() {
  const x = view.x + (extent.x - MARGIN) * view.scale;
  const y = view.y + (extent.y - MARGIN) * view.scale;
  sheet.style.transform = `translate(${x}px, ${y}px) scale(${view.scale})`;
  canvas.classList.add("moving");
  clearTimeout(settling);
  settling = setTimeout(() => canvas.classList.remove("moving"), 200);
}

let settling = 0;

/** Show the whole width from the top; the spine alone in the middle, where the whole could not be read. */
function fitWidth() {
  const pane = canvas.getBoundingClientRect();
  const whole = (pane.width - 40) / extent.width;
  view.scale = Math.max(READABLE, Math.min(1, whole));
  const middle = pane.width / 2 - (whole < READABLE ? 0 : (extent.x + extent.width / 2) * view.scale);
  view.x = Math.min(middle, 20 - extent.x * view.scale + Math.max(0, pane.width - 40 - extent.width * view.scale) / 2);
  view.y = 20;
  applyView();
}

/** Show everything. */
function fitAll() {
  const pane = canvas.getBoundingClientRect();
  view.scale = Math.min(1, (pane.width - 40) / extent.width, (pane.height - 40) / extent.height);
  view.x = (pane.width - extent.width * view.scale) / 2 - extent.x * view.scale;
  view.y = Math.max(20, (pane.height - extent.height * view.scale) / 2);
  applyView();
}

function zoomBy(factor, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
  const scale = Math.min(4, Math.max(0.02, view.scale * factor));
  view.x = x - ((x - view.x) * scale) / view.scale;
  view.y = y - ((y - view.y) * scale) / view.scale;
  view.scale = scale;
  applyView();
}

function panBy(x, y) {
  view.x += x;
  view.y += y;
  applyView();
}

/** Bring a card into sight, where it is not. */
function bringCard(path) {
  const card = cards.get(path);
  if (!card) return;
  const pane = canvas.getBoundingClientRect();
  const left = card.x * view.scale + view.x;
  const top = card.y * view.scale + view.y;
  const right = left + card.width * view.scale;
  const seen = left >= 0 && right <= pane.width && top >= 0 && top + 40 * view.scale <= pane.height;
  if (seen) return;
  if (left < 0 || right > pane.width) view.x += pane.width / 2 - (left + right) / 2;
  view.y += pane.height / 3 - top;
  applyView();
}

function listenToDiagram() {
  let drag = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button === 0) drag = { x: event.clientX, y: event.clientY, moved: false };
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag) return hover(spotAt(event));
    if (!drag.moved && Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < 4) return;
    if (!drag.moved) canvas.setPointerCapture(event.pointerId);
    drag.moved = true;
    canvas.classList.add("dragging");
    panBy(event.clientX - drag.x, event.clientY - drag.y);
    drag.x = event.clientX;
    drag.y = event.clientY;
  });
  canvas.addEventListener("pointerup", (event) => {
    const clicked = drag && !drag.moved;
    drag = null;
    canvas.classList.remove("dragging");
    const path = clicked ? spotAt(event) : "";
    if (path) clickSpot(path);
  });
  canvas.addEventListener("pointerleave", () => drag || hover(""));
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const box = canvas.getBoundingClientRect();
      const zooms = event.ctrlKey || event.metaKey;
      if (zooms) zoomBy(Math.exp(-event.deltaY / 200), event.clientX - box.x, event.clientY - box.y);
      else if (event.shiftKey) panBy(-event.deltaY - event.deltaX, 0);
      else panBy(-event.deltaX, -event.deltaY);
    },
    { passive: false },
  );
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key];
    if (step) {
      event.preventDefault();
      panBy(...step);
    }
    if (event.key === "Enter" && state.selected) clickSpot(spotOfPath(state.selected));
  });
}

function spotAt(event) {
  return event.target.closest?.("[data-spot]")?.dataset.spot ?? "";
}
