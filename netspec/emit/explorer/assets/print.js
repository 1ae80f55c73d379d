"use strict";

// On paper the diagram is cut above cards and headers, never through one, into parts that a page holds.

/** What A4 and Letter both have between the margins, in CSS pixels, and what the page's own header takes of it. */
const PAPER = { width: 680, height: 930, header: 90 };
const EDGE = 16;

/** The heights, in the diagram's own measure, between which it is in parts. */
function cuts(scale) {
  const solid = [...cards.values()].map(({ y, solid }) => [y, y + solid]);
  const whole = (at) => !solid.some(([top, bottom]) => top < at && at < bottom);
  const tops = [...new Set(solid.map(([top]) => top))].filter(whole).sort((one, other) => one - other);
  const end = extent.height + EDGE;
  const found = [-EDGE];
  let room = (PAPER.height - PAPER.header) / scale;
  while (found.at(-1) + room < end) {
    const last = found.at(-1);
    const cut = tops.findLast((top) => top - EDGE / 2 <= last + room);
    found.push(cut !== undefined && cut - EDGE / 2 > last ? cut - EDGE / 2 : last + room);
    room = PAPER.height / scale;
  }
  return [...found, end];
}

/** The diagram in parts, each a picture of its own of what is drawn once. */
function drawPages() {
  removePages();
  liveDiagram.writeAll();
  liveTable.writeAll();
  const width = extent.width + 2 * EDGE;
  const scale = Math.min(1, PAPER.width / width);
  const edges = cuts(scale);
  const parts = edges.slice(1).map((end, at) => {
    const height = end - edges[at];
    const box = `${extent.x - EDGE} ${edges[at]} ${width} ${height}`;
    const size = { width: width * scale, height: height * scale };
    return svg("svg", { class: "page", viewBox: box, ...size }, svg("use", { href: "#drawing" }));
  });
  canvas.append(...parts);
  canvas.classList.add("cut");
}

function removePages() {
  for (const page of canvas.querySelectorAll(".page")) page.remove();
  canvas.classList.remove("cut");
}

addEventListener("beforeprint", drawPages);
addEventListener("afterprint", removePages);
