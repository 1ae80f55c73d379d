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

const tell = (line) => editor.postMessage({ type: "line", line });

/** Be light or dark as the editor is. */
function followTheme() {
  const kind = document.body.dataset.vscodeThemeKind ?? "";
  document.documentElement.dataset.theme = /dark$|^vscode-high-contrast$/.test(kind) ? "dark" : "light";
}
