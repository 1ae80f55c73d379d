"use strict";

// Where things stand in the diagram. A level is laid out around its spine, the column x = 0, from its inputs down to its
// main output; `netspec` says which item is in which column and what starts side by side at a fork. An item reaches
// `left` and `right` of its column's middle, so that an open level stands with its own spine in the column.

const CARD_WIDTH = 200;
const CIRCLE = 26;
const PAD = 14;
const GAP = 20;
const GAP_WITH_LABEL = 32;
const BESIDE = 18;
const LANE = 12;
const LONGEST_LABEL = 190;

/** Where a level's edges come from, below its header. */
const HEADER = { x: 0, y: 0, height: 0, left: 0, right: 0, virtual: true };

/** A level's spots with their places, its edges, and how far all of it reaches. `top` is where things begin. */
function arrange(spots, level, cardTextOf) {
  const items = spots.map((spot) => measured(spot, cardTextOf));
  const columns = columnsOf(level);
  setHeights(items, level);
  centreBranches(items, level, columns);
  setWidths(items, level, columns);
  keepApart(items, columns);
  const edges = routed(items, level);
  const reach = (side, of) => Math.max(CARD_WIDTH / 2, ...items.map(of), ...edges.map((edge) => edge[side] ?? 0));
  return {
    items,
    edges,
    left: reach("left", (item) => item.left - item.x),
    right: reach("right", (item) => item.right + item.x),
    height: Math.max(0, ...items.map((item) => item.y + item.height)),
  };
}

/** How much room an item takes; an open level is laid out inside. */
function measured(spot, cardTextOf) {
  const cardText = cardTextOf(spot);
  if (!isOpen(spot)) {
    const width = cardText.circle ? CIRCLE : CARD_WIDTH;
    return { spot, cardText, left: width / 2, right: width / 2, height: cardText.circle ? CIRCLE : cardText.height, x: 0, y: 0 };
  }
  const inside = arrange(insideOf(spot), network.levels[spot.item.level], cardTextOf);
  const [left, right] = [inside.left + PAD, inside.right + PAD];
  return { spot, cardText, inside, left, right, height: cardText.height + inside.height + PAD, x: 0, y: 0 };
}

/** The columns of a level: their items, the fork that they start from, and the item that their last one is read by. */
function columnsOf(level) {
  const columns = new Map();
  level.items.forEach((item, at) => {
    if (!columns.has(item.column)) columns.set(item.column, { number: item.column, items: [], fork: item.fork });
    columns.get(item.column).items.push(at);
  });
  for (const column of columns.values()) {
    const last = column.items.at(-1);
    const readers = level.items.flatMap((item, at) => (item.edges.some(([from]) => from === last) ? [at] : []));
    column.join = readers.length ? Math.min(...readers) : level.items.length;
    column.parent = column.fork < 0 ? 0 : level.items[column.fork].column;
    column.offset = 0;
  }
  return columns;
}

function setHeights(items, level) {
  level.items.forEach((item, at) => {
    const above = item.edges.map((edge) => (edge[0] < 0 ? 0 : items[edge[0]].y + items[edge[0]].height) + gapOf(edge));
    items[at].y = Math.max(level.kind === "network" ? 0 : GAP, ...above);
  });
}

function gapOf([, skip, tensor, label]) {
  return !skip && (tensor >= 0 || label) ? GAP_WITH_LABEL : GAP;
}

/** A branch that is shorter than those beside it stands halfway between its fork and its join. */
function centreBranches(items, level, columns) {
  for (const column of [...columns.values()].sort((one, other) => one.fork - other.fork)) {
    if (column.number === 0 || column.join >= items.length || column.fork < 0) continue;
    const last = items[column.items.at(-1)];
    const slack = items[column.join].y - GAP - (last.y + last.height);
    if (slack > 0) moveDown(column, slack / 2, items, columns);
  }
}

function moveDown(column, by, items, columns) {
  for (const at of column.items) items[at].y += by;
  for (const other of columns.values()) {
    if (other !== column && column.items.includes(other.fork)) moveDown(other, by, items, columns);
  }
}

/** Columns that start at one fork stand left and right of the column that they leave, in their order. */
function setWidths(items, level, columns) {
  const forks = new Map();
  for (const column of columns.values()) {
    if (column.number !== 0) forks.set(column.fork, [...(forks.get(column.fork) ?? []), column]);
  }
  for (const fork of [...forks.keys()].sort((one, other) => other - one)) {
    placeAround(fork, forks.get(fork), items, level, columns);
  }
  const middle = (column) => (column.number === 0 ? 0 : middle(columns.get(column.parent) ?? { number: 0 }) + column.offset);
  for (const column of columns.values()) {
    const x = middle(column);
    for (const at of column.items) items[at].x = x;
  }
}

function placeAround(fork, branches, items, level, columns) {
  const row = level.rows?.[fork] ?? [];
  const parent = branches[0].parent;
  const order = (column) => (row.includes(column.items[0]) ? row.indexOf(column.items[0]) : row.length);
  const sorted = branches.sort((one, other) => order(one) - order(other) || one.number - other.number);
  const straight = row.findIndex((at) => level.items[at].column === parent);
  const half = Math.floor(sorted.filter((column) => !level.items[column.items[0]].training).length / 2);
  const isLeft = (column, at) => (straight >= 0 ? order(column) < straight : sorted.length > 1 && at < half);
  const until = Math.max(...branches.map((column) => column.join));
  const between = stretch(columns.get(parent), fork, until, items, columns);
  let [left, right] = between ? [between.left + BESIDE, between.right + BESIDE] : [BESIDE / 2, BESIDE / 2];
  for (const column of sorted.filter((one, at) => !isLeft(one, at))) {
    const reach = stretch(column, -Infinity, Infinity, items, columns);
    column.offset = right + reach.left;
    right = column.offset + reach.right + BESIDE;
  }
  for (const column of sorted.filter(isLeft).reverse()) {
    const reach = stretch(column, -Infinity, Infinity, items, columns);
    column.offset = -left - reach.right;
    left = -column.offset + reach.left + BESIDE;
  }
}

/** How far a column reaches between two positions, with the columns that start from it there. */
function stretch(column, from, until, items, columns) {
  const parts = column.items.filter((at) => from < at && at < until).map((at) => items[at]);
  for (const other of columns.values()) {
    const inside = other !== column && from < other.fork && other.fork < until && column.items.includes(other.fork);
    if (!inside || !other.offset) continue;
    const reach = stretch(other, -Infinity, Infinity, items, columns);
    parts.push({ left: reach.left - other.offset, right: reach.right + other.offset });
  }
  if (!parts.length) return null;
  return { left: Math.max(...parts.map((part) => part.left)), right: Math.max(...parts.map((part) => part.right)) };
}

/** Move a column outward where it would stand on another one: wirings that are no forks and joins can bring that. */
function keepApart(items, columns) {
  const sorted = [...columns.values()].sort((one, other) => Math.abs(items[one.items[0]].x) - Math.abs(items[other.items[0]].x));
  const placed = [];
  for (const column of sorted) {
    const own = column.items.map((at) => items[at]);
    const side = own[0].x < 0 ? -1 : 1;
    for (let round = 0; round < 50; round += 1) {
      const over = Math.max(0, ...own.flatMap((item) => placed.map((other) => overlap(item, other, side))));
      if (!over) break;
      for (const item of own) item.x += side * over;
    }
    if (columns.size > 1) placed.push(...own);
  }
}

/** How far an item is to move to one side so that it stands beside another. */
function overlap(item, other, side) {
  const apart = item.y >= other.y + other.height || other.y >= item.y + item.height;
  if (apart || item.x - item.left >= other.x + other.right || other.x - other.left >= item.x + item.right) return 0;
  return side > 0 ? other.x + other.right + BESIDE - (item.x - item.left) : item.x + item.right + BESIDE - (other.x - other.left);
}

/** The edges of a level as points; those that cannot go straight or around one corner take a lane at the right. */
function routed(items, level) {
  const edges = [];
  const around = [];
  const said = new Set();
  level.items.forEach((item, at) => {
    for (const [from, skip, tensor, label, mark] of item.edges) {
      const edge = { from: items[from] ?? null, to: items[at], skip, mark, arrow: true };
      edge.training = edge.to.spot.training || Boolean(edge.from?.spot.training && !edge.from.spot.item.port);
      const text = !skip && !item.sum && (tensor >= 0 || label);
      if (text && !said.has(`${from} ${label} ${label ? at : ""}`)) {
        said.add(`${from} ${label} ${label ? at : ""}`);
        edge.tensor = label ? -1 : tensor;
        edge.label = label;
        edge.said = true;
      }
      edge.points = direct(edge, from, at, items, level);
      (edge.points ? edges : around).push(edge);
    }
  });
  const height = Math.max(0, ...items.map((item) => item.y + item.height));
  for (const [number, exit] of (level.exits ?? []).entries()) {
    const edge = { from: items[exit] ?? null, to: { ...HEADER, y: height + PAD }, leaves: true, mark: level.ends?.[number] };
    edge.points = direct(edge, exit, items.length, items, level);
    (edge.points ? edges : around).push(edge);
  }
  for (const [maker, name] of level.carried ?? []) {
    around.push({ from: items[maker], to: HEADER, carries: true, arrow: true, label: `next ${name}`, said: true });
  }
  const all = [...edges, ...inLanes(around, items)];
  for (const edge of all) placeLabel(edge);
  return all;
}

/** A label stands beside its edge's start; beside its end where several start in one place. */
function placeLabel(edge) {
  if (!edge.said) return;
  const [start, next] = edge.points;
  const [before, end] = edge.points.slice(-2);
  const forks = edge.points.length === 4 && distance(start, next) < distance(before, end);
  const atEnd = edge.label && forks;
  edge.beside = edge.lane ? [next[0] + 5, next[1] + 14] : atEnd ? [end[0] + 6, end[1] - 8] : [start[0] + 6, start[1] + 14];
  const text = edge.label || network.tensors[edge.tensor].text;
  edge.right = Math.max(edge.right ?? 0, edge.beside[0] + Math.min(LONGEST_LABEL, widthOf(text, ROW)));
}

/** The points of an edge that needs no lane. */
function direct(edge, from, at, items, level) {
  const { to, skip } = edge;
  const start = edge.from ?? HEADER;
  const bottom = start.y + start.height;
  const free = (x, y, until) => !items.some((item) => item !== to && item !== edge.from && covers(item, x, y, until));
  if (start.x === to.x) {
    return !skip && free(to.x, bottom, to.y) ? [[start.x, bottom], [to.x, to.y]] : null;
  }
  const middle = to.y + to.height / 2;
  if (to.cardText?.circle && free(start.x, bottom, middle)) {
    const side = start.x > to.x ? to.x + to.right : to.x - to.left;
    return [[start.x, bottom], [start.x, middle], [side, middle]];
  }
  const high = bottom + (edge.tensor >= 0 || edge.label ? GAP_WITH_LABEL - 12 : GAP / 2);
  const starts = level.items[at]?.column !== level.items[from]?.column && level.items[at]?.fork === from;
  if (starts && free(to.x, high, to.y)) return [[start.x, bottom], [start.x, high], [to.x, high], [to.x, to.y]];
  const low = to.y - GAP / 2;
  if (free(start.x, bottom, low)) return [[start.x, bottom], [start.x, low], [to.x, low], [to.x, to.y]];
  return null;
}

function covers(item, x, y, until) {
  return item.x - item.left <= x && x <= item.x + item.right && item.y < until && y < item.y + item.height;
}

/** Edges around what is between their ends, each in a lane of its own; the shorter ones further in. */
function inLanes(edges, items) {
  const lanes = [];
  const startOf = ({ from }) => (!from ? 0 : from.inside ? from.y + from.height - PAD : from.y + from.height / 2);
  const endOf = ({ to, leaves }) => (leaves ? to.y - GAP / 2 : to.y + (to.inside ? to.cardText.height : to.height) / 2);
  const length = (edge) => Math.abs(endOf(edge) - startOf(edge));
  for (const edge of [...edges].sort((one, other) => length(one) - length(other))) {
    const [start, end] = [startOf(edge), endOf(edge)];
    const x = laneOf(edge, start, end, items, lanes);
    lanes.push({ x, high: Math.min(start, end), low: Math.max(start, end) });
    const before = edge.from ? [[sideOf(edge.from, x), start], [x, start]] : [[x, 0]];
    const last = edge.leaves ? [[0, end], [0, edge.to.y]] : [[sideOf(edge.to, x), end]];
    edge.points = [...before, [x, end], ...(edge.carries ? [] : last)];
    edge.right = x + LANE;
    edge.left = LANE - x;
    edge.lane = true;
  }
  return edges;
}

/** Where an edge's lane runs: past as few items as can be, near its ends, at the right where both sides will do. */
function laneOf(edge, start, end, items, lanes) {
  const [high, low] = [Math.min(start, end), Math.max(start, end)];
  const others = items.filter((item) => item !== edge.from && item !== edge.to);
  const beside = items.filter((item) => item.y <= low && high <= item.y + item.height);
  const places = beside.flatMap((item) => [item.x + item.right + LANE, item.x - item.left - LANE]);
  let [best, least] = [(edge.from?.right ?? 0) + LANE, Infinity];
  for (const place of places) {
    const away = place > (edge.from?.x ?? 0) ? 1 : -1;
    let x = place;
    while (lanes.some((lane) => Math.abs(lane.x - x) < LANE && lane.high < low && high < lane.low)) x += away * LANE;
    if ([edge.from, edge.to].some((item) => item && !item.virtual && item.x - item.left < x && x < item.x + item.right)) continue;
    const passed = others.filter((item) => covers(item, x, high, low)).length;
    const ends = [[edge.from, start], [edge.to, end]].filter(([item]) => item && !item.virtual);
    const crossed = ends.reduce((sum, [item, y]) => sum + others.filter((other) => lies(other, y, sideOf(item, x), x)).length, 0);
    const cost = 2000 * (passed + crossed) + Math.abs(x - (edge.from?.x ?? 0)) + Math.abs(x - edge.to.x) + (away < 0 ? 120 : 0);
    if (cost < least) [best, least] = [x, cost];
  }
  return best;
}

function sideOf(item, x) {
  return x > item.x ? item.x + item.right : item.x - item.left;
}

/** Whether an item lies on a level line between two places. */
function lies(item, y, from, to) {
  return item.y < y && y < item.y + item.height && item.x - item.left < Math.max(from, to) && Math.min(from, to) < item.x + item.right;
}

/** An SVG path through points, its corners round. */
function pathThrough(points) {
  const parts = [`M${points[0].join(" ")}`];
  for (let at = 1; at < points.length - 1; at += 1) {
    const [before, corner, after] = [points[at - 1], points[at], points[at + 1]];
    const radius = Math.min(8, distance(before, corner) / 2, distance(corner, after) / 2);
    parts.push(`L${toward(corner, before, radius).join(" ")}Q${corner.join(" ")} ${toward(corner, after, radius).join(" ")}`);
  }
  parts.push(`L${points.at(-1).join(" ")}`);
  return parts.join("");
}

function distance([x, y], [u, v]) {
  return Math.hypot(u - x, v - y);
}

function toward([x, y], [u, v], by) {
  const length = distance([x, y], [u, v]) || 1;
  return [x + ((u - x) * by) / length, y + ((v - y) * by) / length];
}
