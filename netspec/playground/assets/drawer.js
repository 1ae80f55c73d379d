// Graphviz, which draws DOT as SVG, beside the page.

import { instance } from "./packages/@viz-js/viz/dist/viz.js";

const graphviz = instance();

onmessage = async ({ data: { id, dot } }) => {
  try {
    postMessage({ id, svg: (await graphviz).renderString(dot, { format: "svg" }) });
  } catch (error) {
    postMessage({ id, fault: `The diagram cannot be drawn: ${error.message ?? error}` });
  }
};
