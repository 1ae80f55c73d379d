/** Which Python has netspec: the first of several places, each asked what it has. */

import * as path from "node:path";

/** What a Python says of itself. */
export interface Probe {
  python: [number, number];
  /** The version of netspec; `null` where it has none. */
  netspec: string | null;
  /** It has what the language server needs besides. */
  lsp: boolean;
}

/** A Python to ask, and the place that it comes from, in words. */
export interface Candidate {
  python: string;
  from: string;
}

/** A Python that has netspec and its language server. */
export interface Found extends Candidate {
  version: string;
}

/** What became of a candidate that will not do. */
export interface Tried extends Candidate {
  reason: "missing" | "no netspec" | "no language server";
}

export type Search = { found: Found; tried: Tried[] } | { found: undefined; tried: Tried[] };

/** What is looked at; a test has its own. */
export interface Surroundings {
  platform: NodeJS.Platform;
  env: Record<string, string | undefined>;
  home: string;
  /** `netspec.interpreter`, as it was written. */
  setting: string;
  /** The folders of the workspace; none where it is not trusted. */
  folders: string[];
  /** The environment that this extension has made, or would make. */
  own: string;
  /** The interpreter that was chosen in the Python extension. */
  chosen(): Promise<string | undefined>;
  isFile(file: string): boolean;
  /** A file's path without links. */
  real(file: string): string;
  /** Ask a Python what it has; `undefined` where it does not run. */
  probe(python: string): Promise<Probe | undefined>;
}

/** The names that people give to an environment in a project's folder. */
const ENVIRONMENTS = [".venv", "venv", "env"];

/** The program that says what a Python has, as JSON. Another package of the name `netspec` has no `netspec.lsp`. */
export const PROBE = `
import importlib.util as util, json, sys
def has(name):
    try:
        return util.find_spec(name) is not None
    except ImportError:
        return False
version = None
if has("netspec.version") and has("netspec.lsp"):
    from netspec.version import __version__ as version
print(json.dumps({"python": sys.version_info[:2], "netspec": version, "lsp": has("pygls")}))
`;

/** Return the first Python that has netspec with its language server, and what the others lack. */
export async function search(around: Surroundings): Promise<Search> {
  const tried: Tried[] = [];
  const asked = new Set<string>();
  for await (const candidate of candidates(around)) {
    if (asked.has(candidate.python)) continue;
    asked.add(candidate.python);
    const probe = await around.probe(candidate.python);
    if (probe?.netspec && probe.lsp) return { found: { ...candidate, version: probe.netspec }, tried };
    const reason = !probe ? "missing" : probe.netspec === null ? "no netspec" : "no language server";
    tried.push({ ...candidate, reason });
    if (candidate.from === SETTING) break; // who names one means that one
  }
  return { found: undefined, tried };
}

export const SETTING = "the setting netspec.interpreter";
export const OWN = "netspec's own environment";

/** Yield the places where netspec may be, the one that was asked for first. */
async function* candidates(around: Surroundings): AsyncGenerator<Candidate> {
  if (around.setting) yield { python: written(around, around.setting), from: SETTING };
  const chosen = await around.chosen();
  if (chosen) yield { python: chosen, from: "the Python extension" };
  for (const folder of around.folders) {
    for (const name of ENVIRONMENTS) {
      const python = pythonIn(around.platform, path.join(folder, name));
      if (around.isFile(python)) yield { python, from: `the workspace's ${name}` };
    }
  }
  for (const python of onPath(around)) yield { python, from: "the PATH" };
  const own = pythonIn(around.platform, around.own);
  if (around.isFile(own)) yield { python: own, from: OWN };
}

/** Return the path that a setting means. */
function written(around: Surroundings, setting: string): string {
  return setting
    .replace(/^\$\{workspaceFolder\}/, around.folders[0] ?? "${workspaceFolder}")
    .replace(/^~(?=[/\\]|$)/, around.home);
}

/** Return the interpreter of a virtual environment. */
export function pythonIn(platform: NodeJS.Platform, environment: string): string {
  return platform === "win32" ? path.join(environment, "Scripts", "python.exe") : path.join(environment, "bin", "python");
}

/** Yield the Python of the first `netspec` on the PATH (pipx and uv link it from an environment), then those on it. */
function* onPath(around: Surroundings): Generator<string> {
  const windows = around.platform === "win32";
  const command = findOnPath(around, windows ? "netspec.exe" : "netspec");
  const beside = command && path.join(path.dirname(around.real(command)), windows ? "python.exe" : "python");
  if (beside && around.isFile(beside)) yield beside;
  for (const name of windows ? ["python.exe"] : ["python3", "python"]) {
    const python = findOnPath(around, name);
    if (python) yield python;
  }
}

/** Return the first file of a name in the folders of the PATH; one that is relative would be anybody's. */
export function findOnPath(around: Pick<Surroundings, "env" | "isFile" | "platform">, name: string): string | undefined {
  const written = around.env["PATH"] ?? around.env["Path"] ?? "";
  const folders = written.split(around.platform === "win32" ? ";" : ":").filter((folder) => path.isAbsolute(folder));
  return folders.map((folder) => path.join(folder, name)).find((file) => around.isFile(file));
}
