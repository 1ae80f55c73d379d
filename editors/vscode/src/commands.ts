/** What the command palette offers. */

import * as path from "node:path";
import * as vscode from "vscode";
import { HEAD, LANGUAGE, isSpec } from "./association";
import { checked } from "./messages";
import type { Pages } from "./pages";
import type { Summary } from "./protocol";
import type { Server } from "./server";
import { edited } from "./status";
import { safely } from "./surroundings";

const MOST_FILES = 10_000;
const NOT_OURS = "**/{node_modules,.git,.venv,venv,site-packages}/**";

/** Ask for one of a spec's networks: `null` where nobody chooses, `undefined` for the defaults. */
export async function pickVariant(server: Server, uri: vscode.Uri, title: string): Promise<string | undefined | null> {
  const summary = await server.ask<Summary>("netspec/summary", { document: uri.toString() });
  const names = summary?.variants ?? [];
  const items: (vscode.QuickPickItem & { variant: string | undefined })[] = [
    ...(summary?.defaults === false ? [] : [{ label: "the defaults", variant: undefined }]),
    ...names.map((name) => ({ label: name, variant: name })),
  ];
  if (items.length === 1) return items[0]?.variant;
  const chosen = await vscode.window.showQuickPick(items, { title, placeHolder: "a variant of the spec" });
  return chosen ? chosen.variant : null;
}

/** Show another variant in the page that has the focus, or in those of the text that has it. */
export async function chooseVariant(server: Server, pages: Pages): Promise<void> {
  const active = pages.active();
  const uri = active?.uri ?? edited()?.uri;
  if (!uri) return;
  const variant = await pickVariant(server, uri, "Show a variant");
  if (variant === null) return;
  if (!active && !pages.of(uri).length) pages.show("explorer", uri);
  for (const page of active ? [active] : pages.of(uri)) page.variant = variant;
}

/** Train the spec that is edited, as a task in a terminal: Ctrl-C saves and ends the run. */
export async function train(server: Server): Promise<void> {
  const document = edited();
  if (!document || !server.found) return;
  const variant = await pickVariant(server, document.uri, "Train");
  if (variant === null || !(await saved(document))) return;
  const words = server.command("train", document.uri.fsPath, ...(variant === undefined ? [] : ["--variant", variant]));
  const folder = vscode.workspace.getWorkspaceFolder(document.uri);
  const cwd = folder?.uri.fsPath ?? path.dirname(document.uri.fsPath);
  const name = `train ${variant ?? path.basename(document.uri.fsPath)}`;
  const execution = new vscode.ProcessExecution(server.found.python, words, { cwd });
  const task = new vscode.Task({ type: "process" }, folder ?? vscode.TaskScope.Workspace, name, "netspec", execution, []);
  task.presentationOptions = { reveal: vscode.TaskRevealKind.Always, panel: vscode.TaskPanelKind.Dedicated, clear: false };
  await vscode.tasks.executeTask(task);
}

/** Write the diagram into a file of the kind that its name says. */
export async function saveDiagram(server: Server, pages: Pages): Promise<void> {
  const page = pages.active();
  const uri = page?.uri ?? edited()?.uri;
  const document = vscode.workspace.textDocuments.find((each) => each.uri.toString() === uri?.toString());
  if (!uri || !server.found || (document && !(await saved(document)))) return;
  const variant = page ? page.variant : await pickVariant(server, uri, "Save the diagram");
  if (variant === null) return;
  const stem = variant ?? path.basename(uri.fsPath).replace(/(\.net)?\.ya?ml$/, "");
  const defaultUri = vscode.Uri.file(path.join(path.dirname(uri.fsPath), `${stem}.svg`));
  const filters = { SVG: ["svg"], PNG: ["png"], PDF: ["pdf"], Mermaid: ["mmd"], DOT: ["dot"] };
  const target = await vscode.window.showSaveDialog({ defaultUri, filters, title: "Save the diagram" });
  if (!target) return;
  const options = variant === undefined ? [] : ["--variant", variant];
  await run(server, ["diagram", uri.fsPath, "-o", target.fsPath, ...options], `${target.fsPath} is written.`);
}

/** Check every spec of the workspace. Those that are open show their errors already. */
export class AllSpecs implements vscode.Disposable {
  private readonly found = vscode.languages.createDiagnosticCollection("netspec");
  private readonly opened = vscode.workspace.onDidOpenTextDocument(({ languageId, uri }) => {
    if (languageId === LANGUAGE) this.found.delete(uri);
  });

  constructor(private readonly server: Server) {}

  async check(): Promise<void> {
    const options = { location: vscode.ProgressLocation.Notification, title: "Checking specs", cancellable: true };
    const said = await vscode.window.withProgress(options, (progress, cancelled) => this.checkEach(progress, cancelled));
    if (!said.faulty) return void vscode.window.showInformationMessage(said.text);
    const answer = await vscode.window.showErrorMessage(said.text, "Show them");
    if (answer) await vscode.commands.executeCommand("workbench.actions.view.problems");
  }

  dispose(): void {
    this.found.dispose();
    this.opened.dispose();
  }

  private async checkEach(
    progress: vscode.Progress<{ message?: string; increment?: number }>,
    cancelled: vscode.CancellationToken,
  ): Promise<{ faulty: number; text: string }> {
    this.found.clear();
    const files = await vscode.workspace.findFiles("**/*.{yaml,yml}", NOT_OURS, MOST_FILES, cancelled);
    let [specs, faulty] = [0, 0];
    for (const uri of files) {
      if (cancelled.isCancellationRequested) break;
      progress.report({ message: vscode.workspace.asRelativePath(uri), increment: 100 / files.length });
      if (!(await isSpecFile(uri))) continue;
      const diagnostics = await this.server.check(uri);
      specs += 1;
      faulty += Number(diagnostics.some(({ severity }) => severity === vscode.DiagnosticSeverity.Error));
      if (!isOpen(uri)) this.found.set(uri, diagnostics);
    }
    return { faulty, text: checked(specs, faulty, cancelled.isCancellationRequested) };
  }
}

async function isSpecFile(uri: vscode.Uri): Promise<boolean> {
  try {
    const bytes = await vscode.workspace.fs.readFile(uri);
    return isSpec(new TextDecoder().decode(bytes.subarray(0, HEAD)));
  } catch {
    return false; // it has gone
  }
}

function isOpen(uri: vscode.Uri): boolean {
  const documents = vscode.workspace.textDocuments.filter(({ languageId }) => languageId === LANGUAGE);
  return documents.some((document) => document.uri.toString() === uri.toString());
}

/** Save a document; return whether it is a file now. */
async function saved(document: vscode.TextDocument): Promise<boolean> {
  if (!document.isUntitled && (!document.isDirty || (await document.save()))) return true;
  void vscode.window.showInformationMessage("Save the spec as a file first.");
  return false;
}

/** Run a command of netspec's to its end. */
async function run(server: Server, words: string[], done: string): Promise<void> {
  const { execFile } = await import("node:child_process");
  const command = server.command(...words);
  const fault = await new Promise<string>((resolve) => {
    const options = { env: safely(), windowsHide: true };
    execFile(server.found?.python ?? "", command, options, (error, _stdout, stderr) => resolve(error ? stderr || error.message : ""));
  });
  if (fault) void vscode.window.showErrorMessage(fault.trim());
  else void vscode.window.showInformationMessage(done);
}

/** Offer all of it, from the status bar. */
export async function menu(server: Server): Promise<void> {
  const document = edited();
  const ofSpec = document
    ? [
        { label: "$(type-hierarchy) Show the explorer beside the text", command: "netspec.explorer" },
        { label: "$(symbol-structure) Show the diagram", command: "netspec.diagram" },
        { label: "$(play) Train in a terminal", command: "netspec.train" },
      ]
    : [];
  const items = [
    ...(server.stand === "running" ? ofSpec : []),
    ...(server.stand === "missing" ? [{ label: "$(cloud-download) Install netspec…", command: "netspec.install" }] : []),
    { label: "$(checklist) Check all specs of the workspace", command: "netspec.checkAll" },
    { label: "$(debug-restart) Restart the language server", command: "netspec.restart" },
    { label: "$(output) Show the log", command: "netspec.showLog" },
    { label: "$(settings-gear) Settings", command: "netspec.settings" },
  ];
  const chosen = await vscode.window.showQuickPick(items, { title: "netspec" });
  if (chosen?.command === "netspec.settings") await vscode.commands.executeCommand("workbench.action.openSettings", "netspec");
  else if (chosen) await vscode.commands.executeCommand(chosen.command);
}
