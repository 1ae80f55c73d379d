"use strict";

// The way to a page around this one, which has the text of the spec. It is light or dark as that one is.

const memory = {
  read: () => JSON.parse(sessionStorage.getItem("netspec") ?? "null"),
  write: (kept) => sessionStorage.setItem("netspec", JSON.stringify(kept)),
};
const tell = (line) => parent.postMessage({ line }, "*");

addEventListener("message", ({ source, data }) => {
  if (source !== parent) return;
  if (data.theme) document.documentElement.dataset.theme = data.theme;
  if (data.line !== undefined) showLine(data.line);
});
document.getElementById("theme").hidden = true;
