"use strict";

// A page beside the text of its spec: each tells the other which line is meant. `tell` is the way to the text.

/** Light up what a line of the text makes, and bring it into sight. */
function showLine(line) {
  if (!document.querySelector("main")) return;
  hoverLines([`0:${line}`]);
  const first = rows.find(({ lines }) => lines.includes(`0:${line}`));
  if (first) bringCard(first.spot.path);
}

/** Tell the line of what has just been selected: the first one in the spec itself, which is text 0. */
function tellLine() {
  const key = rows[rowIndex(state.selected)]?.lines.find((each) => each.startsWith("0:"));
  if (key && key !== toldLine) tell(Number(key.slice(2)));
  toldLine = key;
}

let toldLine = "";
if (document.querySelector("main")) {
  for (const gesture of ["click", "keyup"]) document.addEventListener(gesture, tellLine);
  if (document.documentElement.dataset.page === "explorer" && !localStorage.getItem(PANES_KEPT)) togglePane("source", false); // it is beside
}
