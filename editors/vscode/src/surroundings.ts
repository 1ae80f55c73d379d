/** The machine and the editor as the search for netspec sees them. */

import { execFile } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import * as vscode from "vscode";
import { PROBE, type Probe, type Surroundings } from "./interpreter";

const PYTHON = "ms-python.python";
const PATIENCE = 15_000;

/** As much of the Python extension's API as is asked. */
interface PythonApi {
  ready?: Promise<void>;
  environments?: {
    getActiveEnvironmentPath(resource?: vscode.Uri): { path: string };
    resolveEnvironment(environment: { path: string }): Promise<{ executable: { uri?: vscode.Uri } } | undefined>;
    onDidChangeActiveEnvironmentPath: vscode.Event<unknown>;
  };
}

/** Return the surroundings of this window. */
export function surroundings(context: vscode.ExtensionContext): Surroundings {
  const folders = vscode.workspace.isTrusted ? (vscode.workspace.workspaceFolders ?? []) : [];
  return {
    platform: process.platform,
    env: process.env,
    home: os.homedir(),
    setting: vscode.workspace.getConfiguration("netspec").get("interpreter", ""),
    folders: folders.filter(({ uri }) => uri.scheme === "file").map(({ uri }) => uri.fsPath),
    own: ownEnvironment(context),
    chosen: () => chosenInterpreter(),
    isFile: (file) => fs.statSync(file, { throwIfNoEntry: false })?.isFile() ?? false,
    real: (file) => fs.realpathSync(file),
    probe: (python) => probe(python, context.extensionPath),
  };
}

/** Return the folder of the environment that this extension may make. */
export function ownEnvironment(context: vscode.ExtensionContext): string {
  return path.join(context.globalStorageUri.fsPath, "environment");
}

/** Return the environment variables of every Python that is started: none looks for modules in its working folder. */
export function safely(): NodeJS.ProcessEnv {
  return { ...process.env, PYTHONSAFEPATH: "1", PYTHONUTF8: "1" };
}

/** Ask a Python what it has, from a folder where nobody's modules are. */
export async function probe(python: string, folder: string): Promise<Probe | undefined> {
  const said = await new Promise<string>((resolve) => {
    const options = { cwd: folder, env: safely(), timeout: PATIENCE, windowsHide: true };
    execFile(python, ["-c", PROBE], options, (_error, stdout) => resolve(stdout));
  });
  try {
    return JSON.parse(said.trim().split("\n").at(-1) ?? "") as Probe;
  } catch {
    return undefined;
  }
}

/** Return the interpreter that is chosen in the Python extension, if there is that extension and it answers. */
async function chosenInterpreter(): Promise<string | undefined> {
  const environments = (await pythonApi())?.environments;
  if (!environments) return undefined;
  const active = environments.getActiveEnvironmentPath(vscode.workspace.workspaceFolders?.[0]?.uri);
  const resolved = await environments.resolveEnvironment(active);
  return resolved?.executable.uri?.fsPath;
}

/** Call back whenever another interpreter is chosen in the Python extension. */
export async function onOtherInterpreter(call: () => void): Promise<vscode.Disposable> {
  const changed = (await pythonApi())?.environments?.onDidChangeActiveEnvironmentPath;
  return changed ? changed(call) : new vscode.Disposable(() => undefined);
}

async function pythonApi(): Promise<PythonApi | undefined> {
  const extension = vscode.extensions.getExtension<PythonApi>(PYTHON);
  if (!extension) return undefined;
  const late = new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), PATIENCE));
  try {
    const api = await Promise.race([extension.activate(), late]);
    await Promise.race([api?.ready, late]);
    return api;
  } catch {
    return undefined; // that extension has failed, and says so itself
  }
}
