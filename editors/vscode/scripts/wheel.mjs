// Puts netspec itself into server/: its wheel, and what the half without PyTorch requires. The extension installs them
// into an environment of its own when it is asked to.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

const ROOT = path.resolve(import.meta.dirname, "../../..");
const SERVER = path.resolve(import.meta.dirname, "../server");

/** What checking, shapes and drawing never import; a contract in pyproject.toml keeps it so. */
const BACK_HALF = ["torch", "onnx", "onnxruntime", "onnxruntime-gpu"];
/** The extras that the extension uses: the language server, and the diagram without Graphviz. */
const EXTRAS = ["lsp", "dot"];

const METADATA = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    print(wheel.read(name).decode())
`;

/** The Python that builds: the repository's own environment, or the one that PYTHON names. */
function python() {
  const own = path.join(ROOT, ".venv", process.platform === "win32" ? "Scripts/python.exe" : "bin/python");
  return process.env.PYTHON ?? (existsSync(own) ? own : "python3");
}

/** Return the requirements in a wheel's metadata that the front half has, without their markers for extras. */
export function requirements(metadata) {
  const lines = [...metadata.matchAll(/^Requires-Dist: (.*)$/gm)].map(([, line]) => line.trim());
  return lines.flatMap((line) => {
    const [requirement, marker = ""] = line.split(";").map((part) => part.trim());
    const extra = /extra == ['"]([\w-]+)['"]/.exec(marker)?.[1];
    const name = /^[\w.-]+/.exec(requirement)[0].toLowerCase();
    if (BACK_HALF.includes(name) || (extra !== undefined && !EXTRAS.includes(extra))) return [];
    return [extra === undefined && marker ? `${requirement}; ${marker}` : requirement];
  });
}

function build() {
  rmSync(SERVER, { recursive: true, force: true });
  mkdirSync(SERVER);
  const pip = ["-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps", "--wheel-dir", SERVER, ROOT];
  execFileSync(python(), pip, { stdio: "inherit" });
  const wheel = readdirSync(SERVER).find((name) => name.endsWith(".whl"));
  const metadata = execFileSync(python(), ["-c", METADATA, path.join(SERVER, wheel)], { encoding: "utf8" });
  writeFileSync(path.join(SERVER, "requirements.txt"), `${requirements(metadata).join("\n")}\n`);
}

if (process.argv[1] === import.meta.filename) build();
