"use strict";

// The way to an editor that shows the page beside the text. The editor tells news, its colours, and the line of its
// cursor; the page tells which line its reader asks for, and when it is ready to be replaced by the next version.

const GONE = "The language server has stopped. This is the last state that it knew.";
const OPENS_FAULTS = false; // the text beside the page has them underlined
const editor = acquireVsCodeApi();
const memory = {
  read: () => editor.getState(),
  write: (kept) => editor.setState(kept),
};

/** What the editor can ask for, by the type of its message. */
const ASKED = {
  news: ({ news }) => take(news),
  next: () => showNext(),
  gone: () => miss(),
  line: ({ line }) => showLine(line),
};

function showNext() {
  globalThis.keep?.();
  editor.postMessage({ type: "next" });
}

function listen() {
  followTheme();
  new MutationObserver(followTheme).observe(document.body, { attributeFilter: ["data-vscode-theme-kind"] });
  addEventListener("message", ({ data }) => ASKED[data.type]?.(data));
  editor.postMessage({ type: "ready" });
}

/** Light up what a line of the editor's text makes, and bring it into sight. */
function showLine(line) {
  if (isWaiting) return;
  hoverLines([`0:${line}`]);
  const first = rows.find(({ lines }) => lines.includes(`0:${line}`));
  if (first) bringCard(first.spot.path);
}

/** Tell the editor the line of what has just been selected: the first one in the spec itself, which is text 0. */
function tellLine() {
  const key = rows[rowIndex(state.selected)]?.lines.find((each) => each.startsWith("0:"));
  if (key && key !== toldLine) editor.postMessage({ type: "line", line: Number(key.slice(2)) });
  toldLine = key;
}

let toldLine = "";
if (document.querySelector("main")) {
  for (const gesture of ["click", "keyup"]) document.addEventListener(gesture, tellLine);
}

/** Be light or dark as the editor is. */
function followTheme() {
  const kind = document.body.dataset.vscodeThemeKind ?? "";
  document.documentElement.dataset.theme = /dark$|^vscode-high-contrast$/.test(kind) ? "dark" : "light";
}

if (document.querySelector("main") && !localStorage.getItem(PANES_KEPT)) togglePane("source", false); // it is beside
