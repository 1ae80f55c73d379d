"use strict";

// A page that follows its spec: it shows the next version, what is wrong with the file, and when the page is no longer
// what the file says, or when nobody tells it news. served.js and hosted.js have the ways to those who do.

const STATES = {
  current: "",
  stale: "The file has an error. This is its last valid state.",
  waiting: "",
  gone: GONE,
};
const isWaiting = document.querySelector(".waiting") !== null;

let fault = "";
let isAnswered = true;

/** Lay out an element with text alone in it. */
function made(name, attributes, text = "") {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  return element;
}

/** Say above the panes how the page stands to the file. */
function showSign() {
  const state = !isAnswered ? "gone" : !fault ? "current" : isWaiting ? "waiting" : "stale";
  let sign = document.getElementById("sign");
  if (!sign) {
    sign = made("div", { id: "sign", role: "status" });
    document.body.insertBefore(sign, document.querySelector("main") ?? document.body.firstChild);
  }
  sign.hidden = !STATES[state];
  sign.dataset.state = state;
  sign.replaceChildren(made("span", {}, STATES[state]));
  if (state !== "stale" || document.getElementById("fault")) return;
  const button = made("button", { type: "button" }, "show the error");
  button.addEventListener("click", () => showFault());
  sign.append(button);
}

/** Show what is wrong below the panes. */
function showFault() {
  document.getElementById("fault")?.remove();
  if (fault) {
    const box = made("section", { id: "fault", role: "alert", "aria-label": "What is wrong with the file" });
    const told = document.createElement("pre");
    for (const line of fault.split("\n")) told.append(made("span", { class: kindOfLine(line) }, `${line}\n`));
    box.append(told);
    if (!isWaiting) {
      const close = made("button", { type: "button", "aria-label": "Close the error", title: "close (Esc)" }, "×");
      close.addEventListener("click", closeFault);
      box.append(close);
    }
    document.body.insertBefore(box, document.querySelector("main")?.nextSibling ?? null);
  }
  showSign();
}

function closeFault() {
  document.getElementById("fault")?.remove();
  showSign();
}

/** What a line of a rendered diagnostic is: its head, its underlines, its help. */
function kindOfLine(line) {
  if (/^(error|warning)\[/.test(line) || line.startsWith("netspec:")) return "head";
  if (/^ *\| *[-^]+/.test(line)) return "mark";
  if (/^ *(help|note|in): /.test(line)) return "help";
  return "";
}

/** Take news: another version is loaded; a fault, or that it is gone, is shown over this one. */
function take(news) {
  isAnswered = true;
  if (!news.fault && news.version !== document.documentElement.dataset.version) return showNext();
  const isNew = news.fault !== fault;
  fault = news.fault;
  const shows = OPENS_FAULTS || isWaiting || document.getElementById("fault") !== null;
  if (isNew && shows) showFault();
  else showSign();
  document.dispatchEvent(new CustomEvent("fault", { detail: news }));
}

/** Take it that nobody tells news any more. */
function miss() {
  isAnswered = false;
  showSign();
}

document.addEventListener(
  "keydown",
  (event) => {
    if (event.key !== "Escape" || isWaiting || !document.getElementById("fault")) return;
    event.stopImmediatePropagation();
    event.preventDefault();
    closeFault();
  },
  true,
);
listen();
