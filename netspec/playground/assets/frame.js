// A whole page of netspec's, the explorer or a comparison, in a frame. The next one loads behind it before it is shown.

import { element } from "./markdown.js";

export class Frame {
  /** `onLine` is told which line of the spec is selected in it. */
  constructor(panel, title, onLine) {
    Object.assign(this, { panel, title });
    addEventListener("message", ({ source, data }) => {
      if (source === this.shown?.contentWindow && data.line) onLine(data.line);
    });
  }

  show(html) {
    const theme = document.documentElement.dataset.theme;
    const whole = theme ? html.replace("<html ", `<html data-theme="${theme}" `) : html;
    const next = element("iframe", { title: this.title, class: "next" });
    this.shown?.contentWindow.keep?.();
    for (const each of this.panel.querySelectorAll("iframe.next")) each.remove();
    next.addEventListener("load", () => {
      this.shown?.remove();
      this.shown = next;
      next.classList.remove("next");
    });
    next.srcdoc = whole;
    this.panel.append(next);
  }

  /** Forget what its reader has made of the page: another network comes. */
  forget() {
    this.shown?.remove();
    this.shown = null;
    sessionStorage.removeItem("netspec");
  }

  tell(what) {
    this.shown?.contentWindow.postMessage(what, "*");
  }
}
