// What holds the page together: a spec is typed, netspec reads it, and the view that is open shows what it makes.

import { columnsIn, explain } from "./columns.js";
import { Editor, Listing } from "./editor.js";
import { Frame } from "./frame.js";
import { Gallery } from "./gallery.js";
import { layOut, theme } from "./layout.js";
import { coded, element } from "./markdown.js";
import { drawn, Picture } from "./picture.js";
import { Fault, Python } from "./python.js";
import { linkTo, readLink } from "./share.js";

const FIRST = "lenet";
const QUIET = 25;
const FILES = { table: "txt", diagram: "svg", source: "py", explorer: "html", diff: "html" };
const VIEWS = Object.keys(FILES);
const NOUNS = { table: "table", diagram: "diagram", source: "PyTorch source", explorer: "explorer", diff: "comparison" };

const byId = (id) => document.getElementById(id);

const state = { example: "", isEdited: false, notice: "", variant: "", view: "table", against: "", text: "", read: null };
const python = new Python(showState);
const ask = (...question) => python.ask(...question);

/** An answer about a spec that is no longer the one that is open. */
class Late extends Error {}

let opened = 0;

/** Ask about the spec that is open; another one that is opened meanwhile makes the answer one to be dropped. */
async function askOfOpen(...question) {
  const before = opened;
  const answer = await ask(...question);
  if (before !== opened) throw new Late();
  return answer;
}

// Reading: one text at a time, the newest next

let isNew = true;
let isReading = false;
let isDirty = false;
let later = 0;
let begun = 0;

function setBusy(isBusy) {
  byId("views").setAttribute("aria-busy", isBusy);
}

function onEdit(text, isOpened) {
  setBusy(true);
  state.text = text;
  if (isOpened) isNew = true;
  else Object.assign(state, { isEdited: true, notice: "" });
  begun ||= performance.now();
  clearTimeout(later);
  later = setTimeout(read, isOpened ? 0 : QUIET);
}

async function read() {
  isDirty = true;
  if (isReading) return;
  isReading = true;
  while (isDirty) {
    isDirty = false;
    const { text } = state;
    const since = begun;
    begun = 0;
    setBusy(true);
    try {
      const found = await ask("read", text, isNew, state.variant);
      const isFirst = isNew;
      isNew = false;
      if (text !== state.text) continue;
      state.read = { ...found, text };
      showRead();
      if (isFirst && isNarrow.matches && !found.variants.length) place("spec"); // a view has nothing to show
      await showView();
      performance.measure("edit", { start: since || performance.now() });
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      showFault(error.message);
    }
    await remember();
  }
  isReading = false;
  setBusy(false);
}

const isCurrent = () => state.read?.text === state.text;

// What has been read

function showState(stage, told = "") {
  const texts = { starting: "Python starts …", netspec: "netspec starts …", ready: "", failed: `netspec does not start: ${told}` };
  byId("state").dataset.state = stage;
  byId("state").textContent = texts[stage];
}

function showRead() {
  const { problems, variants, fresh, totals } = state.read;
  editor.show(state.read);
  const [errors, warnings] = ["error", "warning"].map((kind) => problems.filter(({ severity }) => severity === kind).length);
  const counted = (count, what) => (count ? [`${count} ${what}${count > 1 ? "s" : ""}`] : []);
  byId("state").dataset.state = errors ? "wrong" : warnings ? "warned" : "right";
  byId("state").textContent = [...counted(errors, "error"), ...counted(warnings, "warning")].join(", ") || "no errors";
  byId("stale").hidden = fresh || !variants.length;
  document.title = state.read.name ? `${state.read.name} · netspec playground` : "netspec playground";
  byId("totals").replaceChildren(...totals.map(([name, short, exact]) => element("div", { title: exact }, element("dt", {}, name), element("dd", {}, short))));
  showProblems(problems);
  showVariants(variants);
  byId("example").textContent = state.example ? state.example + (state.isEdited ? " (edited)" : "") : "Examples";
}

function showProblems(problems) {
  byId("problems").hidden = !problems.length;
  byId("problems").querySelector("ul").replaceChildren(
    ...problems.map((each) => {
      const where = each.line ? element("span", { class: "where" }, `line ${each.line}`) : "";
      const parts = [element("b", {}, ...coded(each.message)), ...coded(each.label && ` · ${each.label}`), where];
      const button = element("button", { type: "button", "data-severity": each.severity }, element("span", {}, ...parts));
      if (each.help) button.append(element("span", { class: "help" }, ...coded(each.help)));
      button.addEventListener("click", () => {
        place("spec");
        editor.go(each.line, each.from);
      });
      const item = element("li", {}, button);
      if (each.repair) item.append(repairing(each.repair));
      return item;
    }),
  );
}

function repairing(repair) {
  const button = element("button", { type: "button", class: "repair", title: "put it in the place of the wrong one" }, "use ", element("code", {}, repair.word));
  button.addEventListener("click", () => isCurrent() && editor.repair(repair));
  return button;
}

function showVariants(variants) {
  byId("variants").hidden = variants.length < 2;
  const options = variants.map((variant) => element("option", { value: variant }, variant || "defaults"));
  byId("variant").replaceChildren(...options);
  byId("variant").value = variants.includes(state.variant) ? state.variant : variants[0] ?? "";
}

// The views

const panel = (view) => byId(`panel-${view}`);
const table = panel("table").firstElementChild;
const shown = new Map();
const pages = new Map();

function onLine(line) {
  editor.go(line);
}

const editor = new Editor(byId("editor"), {
  ask,
  current: isCurrent,
  onEdit,
  onLine: (line) => {
    frames[state.view]?.tell({ line });
    lightRows();
  },
});
const listing = new Listing(panel("source"));
const picture = new Picture(panel("diagram"), onLine);
const frames = { explorer: new Frame(panel("explorer"), "Explorer", onLine), diff: new Frame(panel("diff"), "Difference", onLine) };

const SHOW = {
  async table() {
    const { lines, rows, columns } = await askOfOpen("table", state.variant, columnsIn(panel("table")));
    pages.set("table", lines.map((line) => line.map(([text]) => text).join("")).join("\n") + "\n");
    const spans = (line) => line.map(([text, style]) => (style ? element("span", { class: style }, text) : text));
    table.replaceChildren(...lines.map((line, at) => element("span", { class: "row", "data-line": rows[at] || "" }, ...spans(line), "\n")));
    explain(table, columns);
    lightRows();
    panel("table").dataset.columns = columnsIn(panel("table"));
  },
  async diagram() {
    const { dot } = await askOfOpen("diagram", state.variant);
    const svg = await askOfOpen("tidy", await drawn(dot));
    pages.set("diagram", svg);
    picture.show(svg);
  },
  async source() {
    const { text } = await askOfOpen("source", state.variant);
    pages.set("source", text);
    listing.show(text);
  },
  async explorer() {
    const { html } = await askOfOpen("explorer", state.variant, true);
    pages.delete("explorer");
    frames.explorer.show(html);
  },
  async diff() {
    if (!byId("against").value) return;
    const { html } = await askOfOpen("difference", state.variant, byId("against").value, true);
    pages.delete("diff");
    frames.diff.show(html);
  },
};

table.addEventListener("click", ({ target }) => {
  const { line } = target.closest(".row").dataset;
  if (line && getSelection().isCollapsed) onLine(Number(line));
});

/** Light up what the line with the cursor makes, but for the first line, where the cursor stands at first. */
function lightRows() {
  for (const row of table.children) row.classList.toggle("lit", row.dataset.line === String(editor.line) && editor.line > 1);
}

/** Bring the open view up to date with what was read last. */
async function showView() {
  const { view } = state;
  const isEmpty = state.read && !state.read.variants.length;
  byId("empty").hidden = !isEmpty;
  byId("empty").textContent = `The ${NOUNS[view]} appears here once the spec has no errors.`;
  if (isEmpty || !state.read) return showFault(state.notice);
  const key = JSON.stringify([state.read.built, state.variant, view === "table" && columnsIn(panel("table")), view === "diff" && byId("against").value]);
  if (shown.get(view) === key) return showFault(state.notice);
  shown.set(view, key);
  try {
    await SHOW[view]();
    if (view === state.view) showFault(state.notice);
  } catch (error) {
    shown.delete(view);
    if (error instanceof Late) return;
    if (!(error instanceof Fault)) throw error;
    if (view === state.view) showFault(error.message);
  }
}

function showFault(text) {
  byId("fault").textContent = text;
  byId("fault").hidden = !text;
}

function turnTo(view) {
  if (view !== "spec") state.view = view;
  document.body.dataset.view = state.view;
  place(view === "spec" ? "spec" : "view");
  for (const each of VIEWS) panel(each).hidden = each !== state.view;
  showView().then(remember);
}

/** On a narrow window either the spec or a view is shown. */
function place(which) {
  document.body.dataset.place = which;
  for (const tab of document.querySelectorAll("#tabs button")) {
    const isChosen = tab.dataset.view === (which === "spec" && isNarrow.matches ? "spec" : state.view);
    tab.setAttribute("aria-selected", isChosen);
    tab.tabIndex = isChosen ? 0 : -1;
  }
}

const isNarrow = matchMedia("(max-width: 720px)");
isNarrow.addEventListener("change", () => place(document.body.dataset.place));

byId("tabs").addEventListener("click", ({ target }) => target.dataset.view && turnTo(target.dataset.view));
byId("tabs").addEventListener("keydown", (event) => {
  const tabs = [...document.querySelectorAll("#tabs button")].filter((tab) => tab.offsetParent);
  const at = tabs.indexOf(event.target);
  const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  const tab = tabs[(next + tabs.length) % tabs.length];
  turnTo(tab.dataset.view);
  tab.focus();
});
byId("zoom").addEventListener("click", ({ target }) => target.value && picture.zoom(Number(target.value)));

let resized = 0;
new ResizeObserver(() => {
  clearTimeout(resized);
  resized = setTimeout(() => state.view === "table" && showView(), 120);
}).observe(panel("table"));

// Copies

/** What a view shows, as a file has it: pages of netspec's without what ties them to this one. */
async function contents(view) {
  if (pages.has(view)) return pages.get(view);
  const question = view === "diff" ? ["difference", state.variant, byId("against").value, false] : ["explorer", state.variant, false];
  return (await ask(...question)).html;
}

/** Copy a text, where the browser allows a page to, and say on the button whether it did. */
async function copied(button, text) {
  const label = button.querySelector("span") ?? button;
  const before = label.textContent;
  label.textContent = await Promise.resolve(navigator.clipboard?.writeText(text) ?? Promise.reject()).then(() => "copied", () => "not allowed");
  setTimeout(() => (label.textContent = before), 1200);
}

byId("copy").addEventListener("click", async (event) => copied(event.target, await contents(state.view)));
byId("save").addEventListener("click", async () => {
  const { view } = state;
  const name = view === "source" ? "model" : `${networkName()}.${view === "table" ? "shapes" : view}`;
  download(`${name}.${FILES[view]}`, await contents(view));
});
byId("keep").addEventListener("click", () => download(`${networkName()}.yaml`, state.text));

const networkName = () => state.read?.name || "network";

function download(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

// Links

async function remember() {
  const link = await linkTo({ ...state, against: byId("against").value });
  if (link !== location.hash) history.replaceState(null, "", link);
}

byId("share").addEventListener("click", async (event) => {
  await remember();
  await copied(event.currentTarget ?? byId("share"), location.href);
});

async function followLink() {
  const wanted = await readLink(location.hash).catch(() => ({ fault: "The link does not hold a spec that can be read." }));
  const view = VIEWS.includes(wanted.view) ? wanted.view : "table";
  const found = gallery.find(wanted.example || FIRST);
  if (wanted.spec !== null && wanted.spec !== undefined) open({ text: wanted.spec }, wanted.variant);
  else open(found?.item ?? gallery.find(FIRST).item, wanted.variant || found?.variant || "");
  if (wanted.against) byId("against").value = wanted.against;
  if (wanted.fault || (wanted.example && !found)) state.notice = wanted.fault ?? `There is no example named ${wanted.example}.`;
  turnTo(view);
}

addEventListener("hashchange", () => {
  setBusy(true);
  followLink();
});

// Examples

const groups = await (await fetch("examples.json")).json();
const gallery = new Gallery(groups, (item, variant) => open(item, variant));
const zoo = groups.find(({ title }) => title === "Zoo").items;

function open(item, variant = "") {
  opened += 1;
  Object.assign(state, { read: null, example: item.name ?? "", isEdited: item.name === undefined, variant, notice: "" });
  for (const frame of Object.values(frames)) frame.forget();
  for (const each of [table, panel("diagram")]) each.replaceChildren();
  listing.show("");
  pages.clear();
  shown.clear();
  if (zoo.includes(item)) byId("against").value = variant || item.name;
  editor.open(item.text);
}

byId("against").append(...zoo.map((item) => {
  const names = [item.name, ...item.variants];
  const options = names.map((name) => element("option", { value: name }, name));
  return names.length > 1 ? element("optgroup", { label: item.name }, ...options) : options[0];
}));
byId("against").value = FIRST;
byId("against").addEventListener("change", () => showView().then(remember));
byId("variant").addEventListener("change", ({ target }) => {
  state.variant = target.value;
  setBusy(true);
  read();
});
byId("browse").addEventListener("click", () => gallery.open());
document.addEventListener("keydown", (event) => {
  const action = { o: "browse", s: "keep" }[event.key];
  if (!action || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
  event.preventDefault();
  byId(action).click();
});

layOut();
theme((dark) => {
  for (const frame of Object.values(frames)) frame.tell({ theme: dark });
});
await followLink();
