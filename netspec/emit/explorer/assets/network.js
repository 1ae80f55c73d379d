"use strict";

// The network as the page walks it. A level is written once however often it is used; a `spot` is an item of a level at
// one place: its path, how often it runs, what it costs there.

const network = JSON.parse(document.getElementById("network").textContent);
const root = network.levels[network.root];

const state = {
  sizes: new Map(network.dims.map((dim) => [dim.name, BigInt(dim.size)])),
  open: new Set(network.open),
  heat: "none",
  numbers: false,
  selected: "",
  only: false,
};

let sizeValues = [];
let levelCosts = new Map();

/** Work out every size anew; costs of levels are found when they are asked for. */
function recompute() {
  sizeValues = network.sizes.map((formula) => evaluate(formula, state.sizes));
  levelCosts = new Map();
}

/**
 * The items of a level as spots. `pace` lists the sizes whose product says how often they run: as a rule, and ahead of a
 * loop. `copies` counts the places in the network that look like this one.
 */
function spotsOf(level, prefix, pace, training, copies) {
  return level.items.map((item) => {
    const own = item.ahead ? { run: pace.ahead, ahead: pace.ahead } : pace;
    const only = training || Boolean(item.training);
    return { item, prefix, path: prefix + item.path, pace: own, training: only, copies: copies * (item.count ?? 1) };
  });
}

function rootSpots() {
  return spotsOf(root, "", { run: [], ahead: [] }, false, 1);
}

/** The spots inside a level's spot. */
function insideOf(spot) {
  const level = network.levels[spot.item.level];
  const pace = level.loop && !network.told ? { run: [...spot.pace.run, level.loop.length], ahead: spot.pace.run } : spot.pace;
  return spotsOf(level, `${spot.path}.`, pace, spot.training, spot.copies);
}

function isLevel(item) {
  return item.level !== undefined;
}

function canOpen(item) {
  return isLevel(item) && !item.shares;
}

function isOpen(spot) {
  return canOpen(spot.item) && state.open.has(spot.path);
}

/** Where the names of an item's nodes begin. */
function baseOf(spot) {
  const first = network.nodes[spot.item.nodes[0]].name;
  return spot.path.slice(0, spot.path.length - first.length);
}

/** What an item is called in the picture; a bare number gets the name of the level around it. */
function nameOf(spot) {
  const name = spot.item.name ?? "";
  const around = spot.prefix.slice(0, -1).split(".").pop();
  return /^\d/.test(name) && around ? `${around}.${name}` : name;
}

const frozen = new Set(network.frozen.paths);

/** Whether the parameters at a path stay as they are in training: those of it, or of a level around it. */
function isFrozen(path) {
  for (let end = frozen.size ? path.length : 0; end > 0; end = path.lastIndexOf(".", end - 1)) {
    if (frozen.has(path.slice(0, end))) return true;
  }
  return false;
}

const NOTHING = { params: 0n, macs: [0n, 0n] };

/** What one run of a node takes, and what a run of a level takes: once ahead of the loop around it, and each time. */
function nodeCost(number) {
  const node = network.nodes[number];
  return { params: BigInt(node.params ?? 0), macs: [0n, sizeValues[node.macs]] };
}

const keptSizes = new Map(Object.entries(network.kept));

/** The bytes that a step or a level keeps for the backward pass, in all iterations of the loops around it; of all with "". */
function keptAt(path) {
  return keptSizes.has(path) ? sizeValues[keptSizes.get(path)] : 0n;
}

const times = new Map(Object.entries(network.time?.at ?? {}));

/** Whether times are told: where the page has any, at the sizes that they are of. */
function hasTimes() {
  return times.size > 0 && network.dims.every((dim) => state.sizes.get(dim.name) === BigInt(dim.size));
}

/** The nanoseconds of a forward pass, and of a training step, in the steps or levels at some paths; "" is all. */
function timeAt(paths) {
  const found = hasTimes() ? paths.map((path) => times.get(path) ?? [0, 0]) : [];
  const [forward, step] = found.reduce((sum, each) => [sum[0] + each[0], sum[1] + each[1]], [0, 0]);
  return { forward: BigInt(forward), time: BigInt(step) };
}

/** How far the steps or levels at some paths part from another form of the network, in billionths: the worst of them. */
function apartAt(paths) {
  return { apart: BigInt(Math.max(0, ...paths.map((path) => network.apart?.at[path] ?? 0))) };
}

/** How hot a cost is at a spot: all copies take it together, but what parts in each of them does not add up. */
function heatIn(cost, spot) {
  return Math.abs(Number(cost[state.heat])) * (state.heat === "apart" ? 1 : spot.copies);
}

function levelCost(number) {
  if (levelCosts.has(number)) return levelCosts.get(number);
  const level = network.levels[number];
  const total = { params: 0n, macs: [0n, 0n] };
  for (const item of level.items) {
    const cost = itemCost(item);
    const count = BigInt(item.count ?? 1);
    total.params += cost.params * count;
    if (item.training) continue;
    const [ahead, run] = cost.macs;
    total.macs[0] += (item.ahead ? ahead + run : ahead) * count;
    total.macs[1] += (item.ahead ? 0n : run) * count;
  }
  levelCosts.set(number, total);
  return total;
}

/** What one of an item takes. A loop's iterations are all in the second number, and what runs ahead of them. */
function itemCost(item) {
  if (item.nodes) return item.nodes.map(nodeCost).reduce(plus, NOTHING);
  if (!isLevel(item)) return NOTHING;
  const cost = levelCost(item.level);
  const loop = network.levels[item.level].loop;
  const iterated = ([ahead, run]) => (loop ? [0n, ahead + sizeValues[loop.length] * run] : [ahead, run]);
  return { params: item.shares ? 0n : cost.params, macs: iterated(cost.macs) };
}

function plus(one, other) {
  return { params: one.params + other.params, macs: [one.macs[0] + other.macs[0], one.macs[1] + other.macs[1]] };
}

/** What takes `cost` takes in one forward pass at a pace. */
function costAt(pace, cost) {
  const times = (sizes) => sizes.reduce((product, size) => product * sizeValues[size], 1n);
  const [ahead, run] = cost.macs;
  return { params: cost.params, macs: ahead * times(pace.ahead) + run * times(pace.run) };
}

/** What a spot takes in one forward pass: of one, where several are alike. */
function spotCost(spot) {
  const paths = pathsOf(spot);
  if (network.told) return comparedCost(paths);
  const memory = paths.reduce((sum, path) => sum + keptAt(path), 0n);
  return { ...costAt(spot.pace, itemCost(spot.item)), memory, ...timeAt(paths), ...apartAt(paths) };
}

/** The paths of a spot's rows: of the ops on a card, or its own. */
function pathsOf(spot) {
  if (!spot.item.nodes) return [spot.path];
  const base = baseOf(spot);
  return spot.item.nodes.map((number) => base + network.nodes[number].name);
}

/** What one of a spot's ops takes. */
function nodeCostAt(spot, number) {
  const path = baseOf(spot) + network.nodes[number].name;
  if (network.told) return comparedCost([path]);
  return { ...costAt(spot.pace, nodeCost(number)), memory: keptAt(path), ...timeAt([path]), ...apartAt([path]) };
}

/**
 * The whole network: parameters, of which some are for training only, MACs of one inference pass, and the bytes that
 * training keeps of one forward pass.
 */
function totals() {
  if (network.told) return comparedCost([""]);
  const cost = costAt({ run: [], ahead: [] }, levelCost(network.root));
  return { ...cost, memory: keptAt(""), ...timeAt([""]), aside: trainingParams(network.root, new Map()) };
}

function trainingParams(number, known) {
  if (known.has(number)) return known.get(number);
  let total = 0n;
  for (const item of network.levels[number].items) {
    const count = BigInt(item.count ?? 1);
    if (item.training) total += itemCost(item).params * count;
    else if (canOpen(item)) total += trainingParams(item.level, known) * count;
  }
  known.set(number, total);
  return total;
}

/** A tensor's shape, with symbols or with the numbers of the moment. */
function shapeText(number) {
  const tensor = network.tensors[number];
  return state.numbers ? tensor.sizes.map((size) => sizeValues[size]).join("×") || "()" : tensor.text;
}

/** What differs about a path, where the page holds two networks against each other. */
function markOf(path) {
  return network.told?.[path]?.kind ?? "";
}

/** The YAML lines that a spot comes from, as `source:line`; of a closed level those of all that is in it too. */
function linesOf(spot) {
  if (spot.item.nodes) return spot.item.nodes.map((number) => lineKey(network.nodes[number].at));
  if (!isLevel(spot.item)) return [];
  return isOpen(spot) ? [lineKey(spot.item.at)] : [lineKey(spot.item.at), ...deepLines(spot.item.level)];
}

function lineKey([source, line]) {
  return `${source}:${line}`;
}

const knownLines = new Map();

function deepLines(number) {
  if (knownLines.has(number)) return knownLines.get(number);
  const found = new Set();
  for (const item of network.levels[number].items) {
    for (const node of item.nodes ?? []) found.add(lineKey(network.nodes[node].at));
    if (!isLevel(item)) continue;
    found.add(lineKey(item.at));
    for (const line of deepLines(item.level)) found.add(line);
  }
  knownLines.set(number, found);
  return found;
}

/** Every spot of the network, open or not, levels before what is in them. */
function* everySpot(spots = rootSpots()) {
  for (const spot of spots) {
    yield spot;
    if (canOpen(spot.item)) yield* everySpot(insideOf(spot));
  }
}

/** Open `depth` levels, one in the other. */
function openTo(depth) {
  state.open = new Set();
  const visit = (spots, left) => {
    for (const spot of spots) {
      if (left < 1 || !canOpen(spot.item)) continue;
      state.open.add(spot.path);
      visit(insideOf(spot), left - 1);
    }
  };
  visit(rootSpots(), depth);
}

/** How many levels lie in one another at most. */
function deepest(level = root, known = new Map()) {
  if (known.has(level)) return known.get(level);
  const inner = level.items.filter(canOpen).map((item) => deepest(network.levels[item.level], known));
  const found = inner.length ? 1 + Math.max(...inner) : 0;
  known.set(level, found);
  return found;
}

/**
 * The spots on the way to a path as a spec, a checkpoint or a message writes it, each with the part of the path that it
 * answers to; the first of some copies answers for all.
 */
function wayTo(path) {
  const way = [];
  let spots = rootSpots();
  let rest = path;
  while (rest) {
    const found = spots
      .flatMap((spot) => startsOf(spot).map((start) => ({ spot, start })))
      .filter(({ start }) => rest === start || rest.startsWith(`${start}.`))
      .sort((one, other) => other.start.length - one.start.length)[0];
    if (!found) break;
    way.push({ ...found.spot, start: found.start });
    rest = rest.slice(found.start.length + 1);
    if (!canOpen(found.spot.item)) break;
    spots = insideOf(found.spot);
  }
  return way;
}

/** The paths within its level that an item answers to. */
function startsOf({ item }) {
  return item.port ? [item.path, item.name] : [item.path, ...(item.covers ?? [])];
}
