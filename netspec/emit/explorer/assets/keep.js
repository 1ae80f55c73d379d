"use strict";

// What its reader has made of a page is kept while the next version takes its place.

function keep() {
  const { open, heat, selected, numbers, sizes } = state;
  const chosen = [...sizes].map(([name, size]) => [name, String(size)]);
  const theme = document.documentElement.dataset.theme ?? "";
  memory.write({ open: [...open], heat, selected, numbers, chosen, theme, view });
}

function restore() {
  const kept = memory.read();
  if (!kept) return;
  state.open = new Set(kept.open);
  if (kept.theme) document.documentElement.dataset.theme = kept.theme;
  for (const [name, size] of kept.chosen) restoreSize(name, size);
  showNumbers(kept.numbers);
  recompute();
  redraw();
  refreshNow();
  setHeat(kept.heat);
  Object.assign(view, kept.view);
  applyView();
  select(kept.selected, { diagram: false });
}

function restoreSize(name, size) {
  if (!state.sizes.has(name)) return;
  state.sizes.set(name, BigInt(size));
  for (const input of document.querySelectorAll(`#dims [data-dim="${CSS.escape(name)}"] input`)) input.value = size;
}

restore();
addEventListener("pagehide", keep);
