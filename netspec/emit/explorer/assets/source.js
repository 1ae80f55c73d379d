"use strict";

// The YAML beside the picture: the spec, and the files and library blocks that it takes steps from.

const listing = document.querySelector("#source ol");
const tabs = document.getElementById("tabs");

let shownSource = 0;
let yamlLines = new Map();

/** Lines that stand in the place of a file's own while it is at fault, by the file's number. */
const drafts = new Map();

function drawTabs() {
  tabs.replaceChildren();
  network.sources.forEach((source, number) => {
    const tab = html("button", { role: "tab", type: "button", "aria-selected": number === shownSource }, source.name);
    tab.addEventListener("click", () => showSource(number));
    tabs.append(tab);
  });
}

function linesIn(text) {
  const lines = text.split(/\r?\n/);
  return lines.at(-1) === "" ? lines.slice(0, -1) : lines;
}

function linesOfSource(number) {
  if (network.pairs) return foldedLines(number);
  return linesIn(network.sources[number].text).map((text, at) => ({ text, key: `${number}:${at + 1}` }));
}

function showSource(number) {
  shownSource = number;
  [...tabs.children].forEach((tab, at) => tab.setAttribute("aria-selected", at === number));
  const lines = drafts.get(number) ?? linesOfSource(number);
  yamlLines = new Map();
  listing.replaceChildren(
    ...lines.map((each) => {
      if (each.gap) return gapLine(each);
      const line = html("li", { "data-line": each.key }, ...coloured(each.text));
      if (each.numbers) [line.dataset.was, line.dataset.now] = each.numbers;
      if (each.side) line.prepend(html("span", { class: `mark mark-${each.side}` }, SIGNS[each.side]));
      if (each.side) line.classList.add(each.side);
      for (const key of [each.key, each.was]) if (key) yamlLines.set(key, line);
      return line;
    }),
  );
  const count = network.pairs ? network.pairs[number].lines.length : lines.length;
  listing.style.setProperty("--digits", `${String(count).length}ch`);
  markLines();
}

const TOKENS = /(#.*$)|("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')|([\w$./-]+)(?=\s*:(?:\s|$))|(\b(?:true|false|null)\b|\b\d[\d_.]*[kKmMG]?\b)/g;
const KINDS = ["comment", "string", "key", "value"];

/** A line's text with its parts marked; nothing but text ever comes of it. */
function coloured(text) {
  const parts = [];
  let end = 0;
  for (const found of text.matchAll(TOKENS)) {
    if (found[1] && found.index > 0 && !/\s/.test(text[found.index - 1])) continue;
    parts.push(text.slice(end, found.index));
    const kind = KINDS[found.slice(1).findIndex((group) => group !== undefined)];
    parts.push(html("span", { class: kind }, found[0]));
    end = found.index + found[0].length;
  }
  return [...parts, text.slice(end)];
}

/** Bring a line into sight, in its own file; one that is folded is left so unless it `unfolds`. */
function bringLine(key, unfolds = false) {
  const number = network.pairs ? pairOf(key) : Number(key.split(":")[0]);
  if (number !== shownSource) showSource(number);
  if (unfolds && !yamlLines.has(key) && network.pairs && gaps.has(key)) unfold(gaps.get(key));
  nearest(yamlLines.get(key), listing.parentElement);
}

/** Scroll a pane as little as will show an element, with something around it. */
function nearest(element, pane, head = 0) {
  if (!element) return;
  const [inner, outer] = [element.getBoundingClientRect(), pane.getBoundingClientRect()];
  const room = Math.min(60, outer.height / 4);
  if (inner.top < outer.top + head) pane.scrollTop -= outer.top + head + room - inner.top;
  else if (inner.bottom > outer.bottom) pane.scrollTop += inner.bottom - outer.bottom + room;
}

/** The keys that a line is known by: of two texts, in both. */
function keysOf(line) {
  return line ? [...yamlLines].filter(([, element]) => element === line).map(([key]) => key) : [];
}

function listenToSource() {
  listing.addEventListener("pointerover", (event) => hoverLines(keysOf(event.target.closest("li"))));
  listing.addEventListener("pointerleave", () => hoverLines([]));
  listing.addEventListener("click", (event) => {
    const keys = keysOf(event.target.closest("li"));
    const row = rows.find(({ lines }) => keys.some((key) => lines.includes(key)));
    if (row) select(row.path, { source: false });
  });
}
