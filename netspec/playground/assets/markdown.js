// The little Markdown that netspec's documentation and messages use, as elements: paragraphs, lists, `code`, **bold**, \escapes.

const MARKS = /\\([\\`*_<|[\]])|`([^`]+)`|\*\*([^*]+)\*\*/g;

export function element(name, attributes = {}, ...inner) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...inner);
  return made;
}

/** The parts of a message, in which nothing but `code` is marked. */
export function coded(text) {
  return text.split(/`([^`]*)`/).map((part, at) => (at % 2 ? element("code", {}, part) : part));
}

function spans(text) {
  const parts = [];
  let end = 0;
  for (const found of text.matchAll(MARKS)) {
    parts.push(text.slice(end, found.index));
    if (found[1]) parts.push(found[1]);
    else if (found[2]) parts.push(element("code", {}, found[2]));
    else parts.push(element("b", {}, ...spans(found[3])));
    end = found.index + found[0].length;
  }
  return [...parts, text.slice(end)];
}

export function markdown(text) {
  const made = element("div", { class: "markdown" });
  for (const block of text.split(/\n{2,}/)) {
    let list = null;
    const plain = [];
    for (const line of block.split("\n")) {
      if (line.startsWith("- ")) {
        list ??= element("ul");
        list.append(element("li", {}, ...spans(line.slice(2))));
      } else plain.push(line);
    }
    if (plain.length) made.append(element("p", {}, ...spans(plain.join("\n"))));
    if (list) made.append(list);
  }
  return made;
}
