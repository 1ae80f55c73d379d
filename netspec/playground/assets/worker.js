// netspec in Pyodide: it answers the page's questions one after the other, in the order in which they come.
//
// Most of the time of a start goes into compiling Python, so what has been compiled is kept in the browser.

import { loadPyodide } from "./packages/pyodide/pyodide.mjs";

const PLACE = "/netspec";
const KEPT = "netspec-compiled";
const IDLE = 1500;
const PAUSE = 10;

const START = `
import os, sys
sys.path.insert(0, "${PLACE}")
sys.dont_write_bytecode = False
from netspec import zoo
from netspec.playground.session import Session
os.chdir(zoo.folder())
Session()
`;

const ready = start();
ready.catch((error) => postMessage({ failed: String(error) }));

async function start() {
  const archive = fetched("python.zip");
  const python = await loadPyodide();
  postMessage({ stage: "netspec" });
  python.unpackArchive(await archive, "zip", { extractDir: PLACE });
  const compiled = await recalled();
  if (compiled) python.unpackArchive(compiled, "zip", { extractDir: PLACE });
  const session = python.runPython(START);
  postMessage({ stage: "ready" });
  setTimeout(async () => {
    await warm(session);
    if (!compiled) await keep(python);
  }, IDLE);
  return session;
}

/** Have netspec read its documentation ahead, with pauses in which it answers. */
async function warm(session) {
  while (session.warm()) await new Promise((done) => setTimeout(done, PAUSE));
}

async function fetched(name) {
  const answer = await fetch(name);
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return answer.arrayBuffer();
}

// What has been compiled: kept under the digest of what it was compiled from

const KEY = new URL(`compiled/${new URL(self.location).searchParams.get("digest")}`, self.location).href;

async function recalled() {
  try {
    const found = await (await caches.open(KEPT)).match(KEY);
    return found && (await found.arrayBuffer());
  } catch {
    return null; // a browser may forbid it
  }
}

async function keep(python) {
  try {
    await caches.delete(KEPT);
    const bytes = python.runPython("from netspec.playground.compiled import compiled; compiled()").toJs();
    await (await caches.open(KEPT)).put(KEY, new Response(bytes));
  } catch {} // then the next start takes as long
}

onmessage = async ({ data: { id, ask, given } }) => {
  const session = await ready;
  try {
    postMessage({ id, ...JSON.parse(session.answer(JSON.stringify({ ask, with: given }))) });
  } catch (error) {
    postMessage({ id, fault: `This is a bug of netspec: ${String(error).trim().split("\n").at(-1)}` });
  }
};
