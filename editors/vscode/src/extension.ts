/** The extension: what is shown and offered, put together. */

import * as vscode from "vscode";
import { HEAD, LANGUAGE, isSpec } from "./association";
import { AllSpecs, chooseVariant, menu, saveDiagram, train } from "./commands";
import { install } from "./install";
import { missing } from "./messages";
import { Pages } from "./pages";
import { Server } from "./server";
import { Status, edited } from "./status";
import { onOtherInterpreter } from "./surroundings";

/** What other extensions, and tests, can have of this one. */
export interface Api {
  server: Server;
}

export async function activate(context: vscode.ExtensionContext): Promise<Api> {
  const log = vscode.window.createOutputChannel("netspec", { log: true });
  const server = new Server(context, log);
  const pages = new Pages(context, server);
  const all = new AllSpecs(server);
  context.subscriptions.push(log, server, pages, all, new Status(server));
  addCommands(context, log, server, pages, all);
  follow(context, server);
  for (const document of vscode.workspace.textDocuments) adopt(document);
  const waits = new Wait(context, log, server);
  context.subscriptions.push(waits);
  await waits.begin();
  return { server };
}

/** Waits for the first spec: a window that has none starts nothing. */
class Wait implements vscode.Disposable {
  private opened: vscode.Disposable | undefined;

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
    private readonly server: Server,
  ) {}

  async begin(): Promise<void> {
    if (vscode.workspace.textDocuments.some(isOurs)) return this.start();
    this.opened = vscode.workspace.onDidOpenTextDocument((document) => {
      if (isOurs(document)) void this.start();
    });
  }

  dispose(): void {
    this.opened?.dispose();
  }

  private async start(): Promise<void> {
    this.opened?.dispose();
    await this.server.start();
    void offer(this.context, this.log, this.server);
    this.context.subscriptions.push(await onOtherInterpreter(() => void this.server.start()));
  }
}

/** Where netspec is missing, ask what to do. Nothing is installed without a yes. */
async function offer(context: vscode.ExtensionContext, log: vscode.LogOutputChannel, server: Server): Promise<void> {
  if (server.stand !== "missing") return;
  const [other, own, why] = ["Choose an interpreter", "Install netspec…", "Show the log"];
  const answer = await vscode.window.showWarningMessage(missing(server.tried), own, other, why);
  if (answer === why) log.show();
  if (answer === other) await vscode.commands.executeCommand("workbench.action.openSettings", "netspec.interpreter");
  if (answer === own && (await install(context, log))) await server.start();
}

function addCommands(
  context: vscode.ExtensionContext,
  log: vscode.LogOutputChannel,
  server: Server,
  pages: Pages,
  all: AllSpecs,
): void {
  const show = (kind: "explorer" | "diagram") => () => {
    const document = edited();
    if (document) pages.show(kind, document.uri);
  };
  const commands: Record<string, () => unknown> = {
    explorer: show("explorer"),
    diagram: show("diagram"),
    saveDiagram: () => saveDiagram(server, pages),
    chooseVariant: () => chooseVariant(server, pages),
    checkAll: async () => {
      if (server.stand !== "running") await server.start();
      if (server.stand === "running") await all.check();
      else await offer(context, log, server);
    },
    train: () => train(server),
    install: async () => (await install(context, log)) && server.start(),
    restart: async () => {
      await server.start();
      await offer(context, log, server);
    },
    showLog: () => log.show(),
    menu: () => menu(server),
  };
  for (const [name, run] of Object.entries(commands)) {
    context.subscriptions.push(vscode.commands.registerCommand(`netspec.${name}`, run));
  }
}

/** Take to specs, and to settings, as they come. */
function follow(context: vscode.ExtensionContext, server: Server): void {
  context.subscriptions.push(
    vscode.workspace.onDidOpenTextDocument(adopt),
    vscode.workspace.onDidSaveTextDocument(adopt),
    vscode.workspace.onDidGrantWorkspaceTrust(() => void server.start()),
    vscode.workspace.onDidChangeConfiguration((change) => {
      const asked = ["netspec.interpreter", "netspec.plugins"].some((key) => change.affectsConfiguration(key));
      if (asked) void server.start();
    }),
  );
}

/** Give a YAML document whose first key is `netspec` the language of specs. */
function adopt(document: vscode.TextDocument): void {
  if (document.languageId !== "yaml") return;
  const head = document.getText(new vscode.Range(0, 0, HEAD / 16, 0)).slice(0, HEAD);
  if (isSpec(head)) void vscode.languages.setTextDocumentLanguage(document, LANGUAGE);
}

function isOurs({ languageId }: vscode.TextDocument): boolean {
  return languageId === LANGUAGE;
}
