"use strict";

// Search: every op and level by its path, its op and its arguments; Enter goes from one to the next.

const field = document.getElementById("search");

let index = null;
let found = [];
let current = -1;

/** Every op and level with the text that it is found by. */
function searchIndex() {
  if (index) return index;
  index = [];
  for (const spot of everySpot()) {
    const { item } = spot;
    const base = item.nodes ? baseOf(spot) : "";
    const nodes = (item.nodes ?? []).map((number) => network.nodes[number]);
    if (item.port) index.push({ path: item.path, text: `${item.name} ${item.port}` });
    if (isLevel(item)) index.push({ path: spot.path, text: `${spot.path} ${network.levels[item.level].title ?? ""}` });
    for (const node of nodes) index.push({ path: base + node.name, text: `${base}${node.name} ${nodeText(node)}` });
  }
  for (const entry of index) entry.text = entry.text.toLowerCase();
  return index;
}

function search() {
  const wanted = field.value.trim().toLowerCase();
  found = wanted ? searchIndex().filter(({ text }) => text.includes(wanted)) : [];
  if (wanted && !found.length && wayTo(field.value.trim()).length) found = [{ path: field.value.trim() }];
  current = -1;
  markFound();
  showFound();
}

function showFound() {
  const told = found.length ? `${current + 1 || "–"} / ${found.length}` : "none";
  document.getElementById("found").textContent = field.value.trim() ? told : "";
}

function markFound() {
  const paths = new Set(found.map(({ path }) => path));
  for (const row of rows) row.element.classList.toggle("found", paths.has(row.path));
  for (const { element } of cards.values()) element.classList.remove("found");
  for (const row of rows) if (paths.has(row.path)) cards.get(row.spot.path)?.element.classList.add("found");
}

function nextFound(step) {
  if (!found.length) return;
  current = (current + step + found.length) % found.length;
  if (current < 0) current = found.length - 1;
  reveal(found[current].path);
  showFound();
}

function listenToSearch() {
  field.addEventListener("input", search);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      nextFound(event.shiftKey && current >= 0 ? -1 : 1);
    }
    if (event.key === "Escape") {
      event.stopPropagation();
      field.value = "";
      search();
      leaveSearch();
    }
    if (event.key === "ArrowDown") leaveSearch();
  });
}

function leaveSearch() {
  const row = rows[Math.max(0, rowIndex(state.selected))];
  row?.element.focus({ preventScroll: true });
}
