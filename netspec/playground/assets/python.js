// The page's side of netspec: questions to the worker in which it runs, and their answers.

const PATIENCE = 30_000;

/** Start a worker. What it says before anyone listens is kept. */
function begun() {
  const worker = new Worker(`worker.js?digest=${document.documentElement.dataset.digest}`, { type: "module" });
  const early = [];
  worker.onmessage = ({ data }) => early.push(data);
  return { worker, early };
}

/** The worker of the page's beginning: this module is loaded ahead of the rest of the page, so that Python starts at once. */
let first = begun();

/** A fault that netspec tells in place of an answer. */
export class Fault extends Error {}

export class Python {
  /** `onState` is told "starting", "netspec", "ready", or "failed" with what is wrong. */
  constructor(onState) {
    this.onState = onState;
    this.waiting = new Map();
    this.count = 0;
    this.start();
  }

  start() {
    this.isReady = false;
    this.onState("starting");
    const { worker, early } = first ?? begun();
    first = null;
    this.worker = worker;
    worker.onmessage = ({ data }) => this.take(data);
    this.worker.addEventListener("error", (event) => this.onState("failed", event.message ?? "the worker does not load"));
    for (const data of early) this.take(data);
  }

  take({ id, stage, failed, answer, fault }) {
    if (failed) return this.onState("failed", failed);
    if (stage) {
      this.isReady = stage === "ready";
      this.onState(stage);
      if (this.isReady) for (const each of this.waiting.values()) this.watch(each);
      return;
    }
    const asked = this.waiting.get(id);
    if (!asked) return;
    this.waiting.delete(id);
    clearTimeout(asked.alarm);
    if (fault === undefined) asked.resolve(answer);
    else asked.reject(new Fault(fault));
  }

  ask(question, ...given) {
    return new Promise((resolve, reject) => {
      const asked = { id: ++this.count, resolve, reject };
      this.waiting.set(asked.id, asked);
      if (this.isReady) this.watch(asked);
      this.worker.postMessage({ id: asked.id, ask: question, given });
    });
  }

  /** Start anew where an answer takes too long: nothing else ends what runs in a worker. */
  watch(asked) {
    clearTimeout(asked.alarm);
    asked.alarm = setTimeout(() => {
      this.worker.terminate();
      const lost = [...this.waiting.values()];
      this.waiting.clear();
      this.start();
      for (const each of lost) {
        clearTimeout(each.alarm);
        each.reject(new Fault(`It took more than ${PATIENCE / 1000} s, and was ended.`));
      }
    }, PATIENCE);
  }
}
