"use strict";

// The panes beside each other: how wide each is, which of them are shown. Both are remembered where the browser may.
// On a narrow window the diagram has a column of its own, with the others below each other beside it.

const LEAST_PANE = 110;
const NUDGE = 24;
const PANE_NAMES = ["diagram", "table", "source"];
const besides = document.querySelector(".beside");
const paneOf = (name) => (name === "beside" ? besides : document.getElementById(name));
const isStacked = matchMedia("(max-width: 1180px)");
const PANES_KEPT = `netspec.panes.${document.documentElement.dataset.page}`;

const firstShares = {
  wide: sharesIn("wide", PANE_NAMES),
  stacked: sharesIn("stacked", [...PANE_NAMES, "beside"]),
};
const paneState = { shares: structuredClone(firstShares), hidden: new Set() };

function sharesIn(layout, names) {
  return Object.fromEntries(names.map((name) => [name, Number(paneOf(name).dataset[layout])]));
}

function layoutNow() {
  return isStacked.matches ? "stacked" : "wide";
}

/** The panes on both sides of a divider: the first that is shown behind it. */
function partedBy(divider) {
  if (divider.dataset.parts === "table") return ["table", "source"];
  const after = isStacked.matches ? "beside" : paneState.hidden.has("table") ? "source" : "table";
  return ["diagram", after];
}

function isShown(name) {
  return name === "beside" ? isShown("table") || isShown("source") : !paneState.hidden.has(name);
}

function applyPanes() {
  const shares = paneState.shares[layoutNow()];
  for (const name of [...PANE_NAMES, "beside"]) {
    paneOf(name).hidden = !isShown(name);
    paneOf(name).style.flexGrow = shares[name] ? 100 * shares[name] : "";
  }
  for (const divider of dividers) showDivider(divider);
  for (const button of document.querySelectorAll("#panes button")) {
    button.setAttribute("aria-pressed", isShown(button.value));
    button.disabled = isShown(button.value) && PANE_NAMES.filter(isShown).length === 1;
  }
}

const dividers = [...document.querySelectorAll(".divider")];

function showDivider(divider) {
  const [before, after] = partedBy(divider);
  const shares = paneState.shares[layoutNow()];
  divider.hidden = !isShown(before) || !isShown(after);
  const upright = divider.dataset.parts === "diagram" || !isStacked.matches;
  divider.setAttribute("aria-orientation", upright ? "vertical" : "horizontal");
  divider.setAttribute("aria-controls", paneOf(before).id);
  divider.setAttribute("aria-valuenow", Math.round((100 * shares[before]) / (shares[before] + shares[after])));
}

/** Give the pane before a divider a size in pixels; the one behind it gets the rest. */
function resizePane(divider, wanted) {
  const [before, after] = partedBy(divider);
  const [size, rest] = [before, after].map((name) => sizeOf(paneOf(name), divider));
  const least = Math.min(LEAST_PANE, (size + rest) / 2);
  const given = Math.max(least, Math.min(size + rest - least, wanted));
  const shares = paneState.shares[layoutNow()];
  const both = shares[before] + shares[after];
  shares[before] = (both * given) / (size + rest);
  shares[after] = both - shares[before];
  applyPanes();
}

function sizeOf(pane, divider) {
  const box = pane.getBoundingClientRect();
  return divider.getAttribute("aria-orientation") === "vertical" ? box.width : box.height;
}

function resetPanes() {
  paneState.shares[layoutNow()] = { ...firstShares[layoutNow()] };
  applyPanes();
  rememberPanes();
}

/** Show a pane or hide it; one always stays. */
function togglePane(name, shown = !isShown(name)) {
  if (!shown && PANE_NAMES.filter(isShown).length === 1) return;
  if (shown) paneState.hidden.delete(name);
  else paneState.hidden.add(name);
  applyPanes();
  rememberPanes();
}

function rememberPanes() {
  try {
    localStorage.setItem(PANES_KEPT, JSON.stringify({ shares: paneState.shares, hidden: [...paneState.hidden] }));
  } catch {} // a browser may forbid it, as it does some pages from files
}

function recallPanes() {
  let kept = null;
  try {
    kept = JSON.parse(localStorage.getItem(PANES_KEPT));
  } catch {}
  for (const [layout, shares] of Object.entries(paneState.shares)) {
    for (const name of Object.keys(shares)) {
      const share = kept?.shares?.[layout]?.[name];
      if (share > 0 && share < 1e6) shares[name] = share;
    }
  }
  const hidden = PANE_NAMES.filter((name) => kept?.hidden?.includes?.(name));
  if (hidden.length < PANE_NAMES.length) paneState.hidden = new Set(hidden);
}

function listenToDivider(divider) {
  let drag = null;
  const along = (event) => (divider.getAttribute("aria-orientation") === "vertical" ? event.clientX : event.clientY);
  divider.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    divider.setPointerCapture(event.pointerId);
    drag = { from: along(event), size: sizeOf(paneOf(partedBy(divider)[0]), divider) };
  });
  divider.addEventListener("pointermove", (event) => drag && resizePane(divider, drag.size + along(event) - drag.from));
  divider.addEventListener("lostpointercapture", () => {
    drag = null;
    rememberPanes();
  });
  divider.addEventListener("dblclick", resetPanes);
  divider.addEventListener("keydown", (event) => {
    const size = sizeOf(paneOf(partedBy(divider)[0]), divider);
    const wanted = { ArrowLeft: size - NUDGE, ArrowUp: size - NUDGE, ArrowRight: size + NUDGE, ArrowDown: size + NUDGE, Home: 0, End: Infinity }[event.key];
    if (event.key !== "Enter" && wanted === undefined) return;
    event.preventDefault();
    if (event.key === "Enter") return resetPanes();
    resizePane(divider, wanted);
    rememberPanes();
  });
}

recallPanes();
applyPanes();
isStacked.addEventListener("change", applyPanes);
for (const divider of dividers) listenToDivider(divider);
document.getElementById("panes").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) togglePane(button.value);
});
