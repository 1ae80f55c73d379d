/** An environment of the extension's own, made when somebody has said yes to it. */

import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import * as vscode from "vscode";
import { findOnPath, pythonIn, type Surroundings } from "./interpreter";
import { installing } from "./messages";
import { ownEnvironment, safely, surroundings } from "./surroundings";

/** The oldest Python that netspec runs on. */
const LEAST: readonly [number, number] = [3, 11];

/** Ask, then install netspec into an environment of its own; return whether it is there. */
export async function install(context: vscode.ExtensionContext, log: vscode.LogOutputChannel): Promise<boolean> {
  const python = await basePython(surroundings(context));
  if (!python) {
    void vscode.window.showErrorMessage(`netspec needs Python ${LEAST.join(".")} or later, and none was found.`);
    return false;
  }
  const folder = ownEnvironment(context);
  const detail = installing(folder, python);
  const answer = await vscode.window.showInformationMessage("Install netspec?", { modal: true, detail }, "Install");
  if (answer !== "Install") return false;
  const options = { location: vscode.ProgressLocation.Notification, title: "Installing netspec", cancellable: true };
  try {
    await vscode.window.withProgress(options, async (progress, cancelled) => {
      for (const { says, command } of steps(python, folder, context.extensionPath)) {
        progress.report({ message: says });
        await run(command, context.extensionPath, log, cancelled);
      }
    });
    return true;
  } catch (error) {
    fs.rmSync(folder, { recursive: true, force: true }); // half an environment would be taken for one
    if (!(error instanceof vscode.CancellationError)) await tellFailed(error, log);
    return false;
  }
}

/** The commands of an installation, each with what it does. */
export function steps(python: string, folder: string, extension: string): { says: string; command: string[] }[] {
  const own = pythonIn(process.platform, folder);
  const server = path.join(extension, "server");
  const wheel = fs.readdirSync(server).find((name) => name.endsWith(".whl"));
  if (!wheel) throw new Error("this extension was built without netspec");
  const pip = [own, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"];
  return [
    { says: "an environment…", command: [python, "-m", "venv", "--clear", folder] },
    { says: "the packages that it needs…", command: [...pip, "-r", path.join(server, "requirements.txt")] },
    { says: "netspec…", command: [...pip, "--no-deps", path.join(server, wheel)] },
  ];
}

/** Return a Python that can make the environment: the chosen one, or one on the PATH. */
export async function basePython(around: Surroundings): Promise<string | undefined> {
  const names = around.platform === "win32" ? ["python.exe", "py.exe"] : ["python3", "python3.13", "python3.12", "python3.11"];
  const found = names.map((name) => findOnPath(around, name));
  for (const python of [around.setting, await around.chosen(), ...found]) {
    const probe = python ? await around.probe(python) : undefined;
    if (python && probe && (probe.python[0] > LEAST[0] || probe.python[1] >= LEAST[1])) return python;
  }
  return undefined;
}

/** Run a command; what it prints goes to the log. */
function run(
  [command, ...words]: string[],
  cwd: string,
  log: vscode.LogOutputChannel,
  cancelled: vscode.CancellationToken,
): Promise<void> {
  return new Promise((resolve, reject) => {
    log.info([command, ...words].join(" "));
    const child = spawn(command ?? "", words, { cwd, env: safely(), windowsHide: true });
    const stops = cancelled.onCancellationRequested(() => child.kill());
    let last = "";
    const listen = (data: Buffer): void => {
      const text = data.toString().trimEnd();
      if (text) log.info((last = text));
    };
    child.stdout.on("data", listen);
    child.stderr.on("data", listen);
    child.on("error", reject);
    child.on("close", (code) => {
      stops.dispose();
      if (cancelled.isCancellationRequested) reject(new vscode.CancellationError());
      else if (code === 0) resolve();
      else reject(new Error(last.split("\n").at(-1) ?? `exit code ${code}`));
    });
  });
}

async function tellFailed(error: unknown, log: vscode.LogOutputChannel): Promise<void> {
  const said = error instanceof Error ? error.message : String(error);
  const answer = await vscode.window.showErrorMessage(`netspec could not be installed: ${said}`, "Show the log");
  if (answer) log.show();
}
