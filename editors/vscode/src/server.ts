/** The language server of this window: found, started, asked, and started anew. */

import * as vscode from "vscode";
import { LanguageClient, State, type LanguageClientOptions, type ServerOptions } from "vscode-languageclient/node";
import type { Diagnostic } from "vscode-languageserver-protocol";
import { LANGUAGE } from "./association";
import { search, type Found, type Tried } from "./interpreter";
import { lookedIn } from "./messages";
import { safely, surroundings } from "./surroundings";

/** How it stands: looked for, running, without any netspec, or stopped. */
export type Stand = "starting" | "running" | "missing" | "stopped";

export class Server implements vscode.Disposable {
  stand: Stand = "stopped";
  found: Found | undefined;
  tried: Tried[] = [];

  private client: LanguageClient | undefined;
  private turn: Promise<void> = Promise.resolve();
  private readonly stood = new vscode.EventEmitter<Stand>();
  private readonly analysed = new vscode.EventEmitter<vscode.Uri>();

  /** It stands otherwise than before. */
  readonly onStand = this.stood.event;
  /** The server knows another version of a document. */
  readonly onAnalysed = this.analysed.event;

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  /** Start it, or start it anew; one start after the other. */
  start(): Promise<void> {
    this.turn = this.turn.then(() => this.begin());
    return this.turn;
  }

  /** End it. */
  stop(): Promise<void> {
    this.turn = this.turn.then(() => this.end());
    return this.turn;
  }

  /** Ask it; `null` where nothing answers. */
  async ask<Answer>(method: string, params: object): Promise<Answer | null> {
    if (this.client?.state !== State.Running) return null;
    try {
      return await this.client.sendRequest<Answer | null>(method, params);
    } catch (error) {
      this.log.error(`${method}: ${String(error)}`);
      return null;
    }
  }

  /** Ask for the diagnostics of a file as it was saved. */
  async check(uri: vscode.Uri): Promise<vscode.Diagnostic[]> {
    const said = await this.ask<Diagnostic[]>("netspec/check", { document: uri.toString() });
    return (await this.client?.protocol2CodeConverter.asDiagnostics(said ?? [])) ?? [];
  }

  /** Return the arguments of a command of netspec's, before its own. */
  command(...words: string[]): string[] {
    const plugins = vscode.workspace.getConfiguration("netspec").get<string[]>("plugins", []);
    return ["-m", "netspec", ...words, ...plugins.flatMap((module) => ["--plugin", module])];
  }

  dispose(): void {
    void this.stop();
    this.stood.dispose();
    this.analysed.dispose();
  }

  private async begin(): Promise<void> {
    await this.end();
    this.stands("starting");
    ({ found: this.found, tried: this.tried } = await search(surroundings(this.context)));
    if (!this.found) {
      this.log.warn(`netspec was not found.\n${lookedIn(this.tried)}`);
      return this.stands("missing");
    }
    this.log.info(`netspec ${this.found.version} from ${this.found.from}: ${this.found.python}`);
    this.client = this.makeClient(this.found.python);
    try {
      await this.client.start();
      this.stands("running");
    } catch (error) {
      this.log.error(`the language server did not start: ${String(error)}`);
      this.stands("stopped");
    }
  }

  private async end(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    await client?.dispose().catch((error: unknown) => this.log.warn(`the language server did not end: ${String(error)}`));
    if (client) this.stands("stopped");
  }

  private makeClient(python: string): LanguageClient {
    const cwd = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath;
    const server: ServerOptions = {
      command: python,
      args: this.command("lsp"),
      options: { env: safely(), ...(cwd === undefined ? {} : { cwd }) },
    };
    const options: LanguageClientOptions = {
      documentSelector: ["file", "untitled"].map((scheme) => ({ scheme, language: LANGUAGE })),
      outputChannel: this.log,
      traceOutputChannel: this.log,
      middleware: {
        handleDiagnostics: (uri, diagnostics, next) => {
          next(uri, diagnostics);
          this.analysed.fire(uri);
        },
      },
    };
    const client = new LanguageClient("netspec", "netspec", server, options);
    client.onDidChangeState(({ newState }) => {
      if (this.client !== client) return;
      if (newState === State.Running) this.stands("running");
      if (newState === State.Stopped) this.stands("stopped");
    });
    return client;
  }

  private stands(stand: Stand): void {
    this.stand = stand;
    this.stood.fire(stand);
  }
}
