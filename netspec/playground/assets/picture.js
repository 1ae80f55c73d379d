// The diagram: drawn by Graphviz in a worker, shown at the size that is wanted.

import { Fault } from "./python.js";

let worker = null;
let count = 0;
const waiting = new Map();

/** Draw DOT as SVG. */
export function drawn(dot) {
  worker ??= started();
  return new Promise((resolve, reject) => {
    waiting.set(++count, { resolve, reject });
    worker.postMessage({ id: count, dot });
  });
}

function started() {
  const made = new Worker("drawer.js", { type: "module" });
  made.addEventListener("message", ({ data: { id, svg, fault } }) => {
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (fault) reject(new Fault(fault));
    else resolve(svg);
  });
  return made;
}

// Graphviz lays text out as wide as it is in Arial. Where a browser has a wider font in its place, text is set smaller.

const SAMPLE = "abcdefghijklmnopqrstuvwxyz 0123456789";
const IN_ARIAL = { normal: 18.564, bold: 19.841 }; // for a font of 1 px
const shares = new Map();

function shareOf(family, weight) {
  const key = `${weight} ${family}`;
  if (!shares.has(key)) {
    const context = new OffscreenCanvas(1, 1).getContext("2d");
    context.font = `${weight} 100px ${family}`;
    shares.set(key, Math.min(1, (100 * IN_ARIAL[weight]) / context.measureText(SAMPLE).width));
  }
  return shares.get(key);
}

function fitText(drawing) {
  for (const text of drawing.querySelectorAll("text")) {
    const weight = text.getAttribute("font-weight") === "bold" ? "bold" : "normal";
    const size = Number(text.getAttribute("font-size")) * shareOf(text.getAttribute("font-family"), weight);
    text.setAttribute("font-size", size.toFixed(2));
  }
}

export class Picture {
  /** `onLine` is told the line of the spec that a card comes from when it is clicked. */
  constructor(panel, onLine) {
    this.panel = panel;
    this.scale = 0;
    panel.addEventListener("click", (event) => {
      const told = event.target.closest("svg g:has(> title)")?.querySelector(":scope > title")?.textContent ?? "";
      const line = told.match(/:(\d+)\s*$/);
      if (line) onLine(Number(line[1]));
    });
    panel.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      this.zoom(event.deltaY < 0 ? 1.1 : 1 / 1.1);
    }, { passive: false });
    new ResizeObserver(() => this.apply()).observe(panel);
  }

  show(svg) {
    this.text = svg;
    const drawing = new DOMParser().parseFromString(svg, "image/svg+xml").documentElement;
    const { width, height } = drawing.viewBox.baseVal;
    this.size = { width: (width * 4) / 3, height: (height * 4) / 3 };
    drawing.removeAttribute("width");
    drawing.removeAttribute("height");
    fitText(drawing);
    drawing.setAttribute("role", "img");
    drawing.setAttribute("aria-label", "Diagram of the network");
    this.panel.replaceChildren(document.importNode(drawing, true));
    this.apply();
  }

  /** The scale at which the picture is as wide as the panel, and no larger than it was drawn. */
  get fitting() {
    return Math.min(1, (this.panel.clientWidth - 32) / this.size.width);
  }

  /** Scale by a factor; 0 fits the picture in again. */
  zoom(factor) {
    const now = this.scale || this.fitting;
    this.scale = factor ? Math.max(0.1, Math.min(6, now * factor)) : 0;
    this.apply();
  }

  apply() {
    const drawing = this.panel.querySelector("svg");
    if (!drawing || !this.panel.clientWidth) return;
    drawing.style.width = `${this.size.width * (this.scale || this.fitting)}px`;
  }
}
