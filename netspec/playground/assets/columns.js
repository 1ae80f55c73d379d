// The columns of the shape table: how many signs its panel has room for, and what each tells.

import { element } from "./markdown.js";

/** The columns of text that a panel with a table has room for. */
export function columnsIn(panel) {
  const probe = element("span", {}, "0".repeat(100));
  panel.firstElementChild.append(probe);
  const each = probe.getBoundingClientRect().width / 100;
  probe.remove();
  const room = panel.clientWidth - 2 * parseFloat(getComputedStyle(panel).paddingLeft);
  return each && room > 0 ? Math.max(48, Math.min(160, Math.floor(room / each))) : 80;
}

/** Tell what the titles mean under the pointer: they stand above the first rule. */
export function explain(table, meanings) {
  const rule = [...table.children].find((row) => row.textContent.startsWith("─"));
  for (const span of rule?.previousElementSibling.children ?? []) {
    const meaning = meanings[span.textContent.trim()];
    if (meaning) span.title = meaning;
  }
}
