"use strict";

// While a served file has an error, the YAML pane shows it as it was saved, with the lines at fault lit up. Lines that
// are as they were in the last valid state still belong to the layers.

/** The lines of a saved text, each with the key of the line that it was in the last valid one, if it was there. */
function linesOfDraft(number, text) {
  const [before, now] = [linesIn(network.sources[number].text), linesIn(text)];
  let start = 0;
  while (start < Math.min(before.length, now.length) && before[start] === now[start]) start += 1;
  let end = 0;
  while (end < Math.min(before.length, now.length) - start && before.at(-1 - end) === now.at(-1 - end)) end += 1;
  return now.map((line, at) => {
    const was = at < start ? at + 1 : at >= now.length - end ? at + 1 + before.length - now.length : 0;
    return { text: line, key: was ? `${number}:${was}` : "" };
  });
}

/** The number of a file's tab; a file that the last valid state did not have gets one. */
function tabOf(name) {
  const found = network.sources.findIndex((source) => source.name === name);
  if (found >= 0) return found;
  network.sources.push({ name, text: "" });
  drawTabs();
  return network.sources.length - 1;
}

document.addEventListener("fault", ({ detail: { texts, marks } }) => {
  const numbers = texts.map(({ name }) => tabOf(name));
  drafts.clear();
  texts.forEach(({ text }, at) => drafts.set(numbers[at], linesOfDraft(numbers[at], text)));
  showSource(numbers.length ? numbers[marks[0].text] : shownSource);
  marks.forEach(({ text, line, said }) => {
    if (numbers[text] !== shownSource) return;
    const element = listing.children[line - 1];
    element?.classList.add("fault");
    if (element) element.title = element.dataset.fault = element.dataset.fault ? `${element.dataset.fault}; ${said}` : said;
  });
  const first = listing.querySelector(".fault");
  const pane = listing.parentElement;
  if (first) pane.scrollTop += first.getBoundingClientRect().top - pane.getBoundingClientRect().top - pane.clientHeight / 3;
});
