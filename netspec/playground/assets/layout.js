// How the page is parted between the spec and the views, and light and dark. Both are remembered where the browser may.

const PART = "netspec.playground.part";
const THEME = "netspec.playground.theme";
const FIRST = 42;
const STEP = 2;

const kept = {
  get(name) {
    try {
      return localStorage.getItem(name);
    } catch {
      return null;
    }
  },
  set(name, value) {
    try {
      localStorage.setItem(name, value);
    } catch {} // a browser may forbid it
  },
};

/** Let the divider be moved. Its part is that of the spec, in hundredths. */
export function layOut() {
  const divider = document.querySelector(".divider");
  const main = document.querySelector("main");
  let part = Number(kept.get(PART)) || FIRST;

  function move(wanted) {
    part = Math.max(15, Math.min(85, wanted));
    main.style.setProperty("--part", `${part}fr`);
    main.style.setProperty("--rest", `${100 - part}fr`);
    divider.setAttribute("aria-valuenow", Math.round(part));
    kept.set(PART, part);
  }

  const isStacked = matchMedia("(max-width: 1000px)");
  const turn = () => divider.setAttribute("aria-orientation", isStacked.matches ? "horizontal" : "vertical");
  isStacked.addEventListener("change", turn);
  divider.addEventListener("pointerdown", (event) => event.button === 0 && divider.setPointerCapture(event.pointerId));
  divider.addEventListener("pointermove", (event) => {
    if (!divider.hasPointerCapture(event.pointerId)) return;
    const box = main.getBoundingClientRect();
    move(100 * (isStacked.matches ? (event.clientY - box.top) / box.height : (event.clientX - box.left) / box.width));
  });
  divider.addEventListener("dblclick", () => move(FIRST));
  divider.addEventListener("keydown", (event) => {
    const wanted = { ArrowLeft: part - STEP, ArrowUp: part - STEP, ArrowRight: part + STEP, ArrowDown: part + STEP, Home: 15, End: 85, Enter: FIRST }[event.key];
    if (wanted === undefined) return;
    event.preventDefault();
    move(wanted);
  });
  turn();
  move(part);
}

/** Let light and dark be chosen; `onTheme` is told what is. */
export function theme(onTheme) {
  const { dataset } = document.documentElement;
  const isDark = () => (dataset.theme ? dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
  const chosen = kept.get(THEME);
  if (chosen) dataset.theme = chosen;
  document.getElementById("theme").addEventListener("click", () => {
    dataset.theme = isDark() ? "light" : "dark";
    kept.set(THEME, dataset.theme);
    onTheme(dataset.theme);
  });
}
