// The examples, in a dialog with a search: specs to start from, the zoo, the ops and blocks of the reference.

import { element } from "./markdown.js";

const dialog = document.getElementById("gallery");
const field = document.getElementById("wanted");
const list = document.getElementById("offers");

/** How well a name meets what is wanted: it is that, begins with it, has it in it, or has it not. */
function rank(name, wanted) {
  const at = name.toLowerCase().indexOf(wanted);
  if (at < 0) return 3;
  return at ? 2 : Number(wanted && name.length > wanted.length);
}

export class Gallery {
  /** `onChoice` is told the example that is chosen, and its variant. */
  constructor(groups, onChoice) {
    this.groups = groups;
    this.onChoice = onChoice;
    field.addEventListener("input", () => this.draw());
    field.addEventListener("keydown", (event) => this.press(event));
    list.addEventListener("keydown", (event) => this.press(event));
    list.addEventListener("click", ({ target }) => this.choose(target.closest("[role=option]")));
    document.getElementById("close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close());
  }

  open() {
    field.value = "";
    dialog.showModal();
    this.draw();
    field.focus();
  }

  /** Find an example by its name, or by that of one of its variants. */
  find(name) {
    const items = this.groups.flatMap(({ items }) => items);
    const own = items.find((item) => item.name === name);
    if (own) return { item: own, variant: "" };
    const family = items.find((item) => item.variants?.includes(name));
    return family ? { item: family, variant: name } : null;
  }

  /** What a group offers for the words that are searched, the best first: its items, and the variants that have them. */
  offersOf(items) {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const has = (text) => words.every((word) => text.toLowerCase().includes(word));
    const offers = items.flatMap((item) => {
      const variants = words.length ? (item.variants ?? []).filter(has) : [];
      const own = has(`${item.name} ${item.doc}`) ? [{ item, variant: "" }] : [];
      return [...own, ...variants.map((variant) => ({ item, variant }))];
    });
    const wanted = words.join("_");
    for (const offer of offers) offer.rank = rank(offer.variant || offer.item.name, wanted);
    return offers.sort((one, other) => one.rank - other.rank);
  }

  draw() {
    this.offers = [];
    list.replaceChildren();
    const found = this.groups.map(({ title, items }) => ({ title, offers: this.offersOf(items) })).filter(({ offers }) => offers.length);
    for (const { title, offers } of found.sort((one, other) => one.offers[0].rank - other.offers[0].rank)) {
      const group = element("div", { role: "group", "aria-label": title }, element("h2", { role: "presentation" }, title));
      for (const offer of offers) group.append(this.option(offer));
      list.append(group);
    }
    if (!this.offers.length) list.append(element("div", { role: "option", "aria-disabled": "true" }, "Nothing is called so."));
    list.scrollTop = 0;
    this.mark(0);
  }

  option(offer) {
    const { item, variant } = offer;
    const number = this.offers.push(offer) - 1;
    const doc = variant ? `a variant of ${item.name}` : item.doc;
    return element("div", { role: "option", id: `offer-${number}`, "aria-selected": "false" }, element("b", {}, variant || item.name), element("span", {}, doc));
  }

  mark(number) {
    this.marked = Math.max(0, Math.min(this.offers.length - 1, number));
    for (const each of list.querySelectorAll("[aria-selected=true]")) each.setAttribute("aria-selected", "false");
    const option = document.getElementById(`offer-${this.marked}`);
    option?.setAttribute("aria-selected", "true");
    option?.scrollIntoView({ block: "nearest" });
    for (const each of [field, list]) each.setAttribute("aria-activedescendant", option ? option.id : "");
  }

  press(event) {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key];
    if (event.key === "Enter") this.choose(document.getElementById(`offer-${this.marked}`));
    else if (step) this.mark(this.marked + step);
    else return;
    event.preventDefault();
  }

  choose(option) {
    if (!option) return;
    const { item, variant } = this.offers[Number(option.id.replace("offer-", ""))];
    dialog.close();
    this.onChoice(item, variant);
  }
}
