"use strict";

// A page that `netspec serve` gives: it loads itself anew when the spec was saved, and shows what is wrong with it.

/** Lay what is wrong over the page; an empty text takes it away. */
function showFault(text) {
  document.getElementById("fault")?.remove();
  if (!text) return;
  const overlay = document.createElement("section");
  overlay.id = "fault";
  overlay.setAttribute("role", "alert");
  const told = document.createElement("pre");
  for (const line of text.split("\n")) {
    const part = document.createElement("span");
    part.className = kindOfLine(line);
    part.textContent = `${line}\n`;
    told.append(part);
  }
  overlay.append(told);
  document.body.append(overlay);
}

/** What a line of a rendered diagnostic is: its head, its underlines, its help. */
function kindOfLine(line) {
  if (/^(error|warning)\[/.test(line) || line.startsWith("netspec:")) return "head";
  if (/^ *\| *[-^]+/.test(line)) return "mark";
  if (/^ *(help|note|in): /.test(line)) return "help";
  return "";
}

const news = new EventSource("/events");
news.addEventListener("message", (event) => {
  const { version, fault } = JSON.parse(event.data);
  if (!fault && String(version) !== document.documentElement.dataset.version) location.reload();
  else showFault(fault);
});
