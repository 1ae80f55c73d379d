/** The page that shows a diagram: it fits the width at first; wheel and keys zoom, dragging moves it. */

import { randomBytes } from "node:crypto";

const STYLE = `
html, body { height: 100%; margin: 0; padding: 0; }
body { display: flex; flex-direction: column; background: var(--vscode-editor-background); color: var(--vscode-editor-foreground); }
#paper { flex: 1; overflow: auto; background: #fff; cursor: grab; }
#paper.moving { cursor: grabbing; }
#paper svg { display: block; margin: 0 auto; height: auto; }
#problem { margin: 0; padding: 10px 16px; font: 13px/1.5 var(--vscode-font-family); background: var(--vscode-inputValidation-warningBackground); white-space: pre-wrap; }
#problem[hidden] { display: none; }
.zoom { position: fixed; right: 16px; bottom: 16px; display: flex; gap: 1px; box-shadow: 0 1px 4px #0003; border-radius: 6px; overflow: hidden; }
.zoom button { min-width: 32px; height: 28px; border: 0; background: #f1f5f9; color: #0f172a; font: 13px var(--vscode-font-family); cursor: pointer; }
.zoom button:hover { background: #e2e8f0; }
.zoom button:focus-visible { outline: 2px solid var(--vscode-focusBorder); outline-offset: -2px; }
`;

const SCRIPT = `
"use strict";
const editor = acquireVsCodeApi();
const paper = document.getElementById("paper");
const problem = document.getElementById("problem");
let zoom = editor.getState()?.zoom ?? 0; // 0: as wide as fits, at most as large as drawn
let natural = 0;

function apply() {
  const picture = paper.querySelector("svg");
  if (!picture) return;
  const width = zoom ? natural * zoom : Math.min(natural, paper.clientWidth);
  picture.style.width = width + "px";
  editor.setState({ zoom });
}

function zoomBy(factor) {
  const now = paper.querySelector("svg")?.getBoundingClientRect().width / natural || 1;
  zoom = Math.min(8, Math.max(0.05, now * factor));
  apply();
}

function fit() {
  zoom = 0;
  apply();
}

addEventListener("message", ({ data }) => {
  if (data.type === "gone") problem.textContent = "The language server has stopped. This is the last diagram that it drew.";
  if (data.type === "diagram") problem.textContent = data.problem ?? "";
  problem.hidden = !problem.textContent;
  if (!data.svg) return;
  const drawn = new DOMParser().parseFromString(data.svg, "image/svg+xml").documentElement;
  natural = drawn.width.baseVal.value || drawn.viewBox.baseVal.width;
  drawn.removeAttribute("height");
  const [left, top] = [paper.scrollLeft, paper.scrollTop];
  paper.replaceChildren(document.adoptNode(drawn));
  apply();
  paper.scrollTo(left, top);
});

paper.addEventListener("wheel", (event) => {
  if (!event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  zoomBy(Math.exp(-event.deltaY / 300));
}, { passive: false });

let held = null;
paper.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  held = { x: event.clientX + paper.scrollLeft, y: event.clientY + paper.scrollTop };
  paper.setPointerCapture(event.pointerId);
  paper.classList.add("moving");
});
paper.addEventListener("pointermove", (event) => held && paper.scrollTo(held.x - event.clientX, held.y - event.clientY));
paper.addEventListener("lostpointercapture", () => {
  held = null;
  paper.classList.remove("moving");
});

const ACTIONS = { "+": () => zoomBy(1.25), "=": () => zoomBy(1.25), "-": () => zoomBy(0.8), 0: fit };
addEventListener("keydown", (event) => !event.ctrlKey && !event.metaKey && ACTIONS[event.key]?.());
addEventListener("resize", apply);
for (const button of document.querySelectorAll(".zoom button")) {
  button.addEventListener("click", () => ACTIONS[button.value]());
}
editor.postMessage({ type: "ready" });
`;

/** Return the page, which waits for a diagram. It loads nothing, and runs its own script alone. */
export function diagramPage(): string {
  const nonce = randomBytes(16).toString("base64");
  const policy = `default-src 'none'; style-src 'nonce-${nonce}' 'unsafe-inline'; script-src 'nonce-${nonce}'`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>netspec</title>
<style nonce="${nonce}">${STYLE}</style>
</head>
<body>
<p id="problem" role="status" hidden></p>
<div id="paper" tabindex="0" role="group" aria-label="Diagram of the network; plus and minus zoom, 0 fits"></div>
<div class="zoom" role="group" aria-label="Zoom">
<button type="button" value="-" aria-label="Smaller">−</button><button type="button" value="0">fit</button><button type="button" value="+" aria-label="Larger">+</button>
</div>
<script nonce="${nonce}">${SCRIPT}</script>
</body>
</html>`;
}
