/** Pages beside the text, each of one document, which follow it as it is written. */

import * as path from "node:path";
import * as vscode from "vscode";
import { diagramPage } from "./diagram";
import type { DiagramAnswer, ExplorerAnswer, OfDocument } from "./protocol";
import type { Server } from "./server";

/** What a page says. */
type Said = { type: "ready" } | { type: "next" } | { type: "line"; line: number };

const ICON = "images/file.svg";

/** All pages of a window. */
export class Pages implements vscode.Disposable {
  private readonly pages = new Map<string, Page>();
  private readonly parts: vscode.Disposable[];

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly server: Server,
  ) {
    this.parts = [
      server.onAnalysed((uri) => this.refresh(uri)),
      server.onStand((stand) => {
        for (const page of this.pages.values()) {
          if (stand === "running") page.refresh();
          else if (stand !== "starting") page.tellGone();
        }
      }),
      vscode.window.onDidChangeTextEditorSelection(({ textEditor, selections, kind }) => {
        const isHand = kind === vscode.TextEditorSelectionChangeKind.Mouse || kind === vscode.TextEditorSelectionChangeKind.Keyboard;
        const line = selections[0]?.active.line;
        if (isHand && line !== undefined) this.explorerOf(textEditor.document.uri)?.tellLine(line + 1);
      }),
    ];
  }

  /** Show the explorer of a document beside it, or the diagram. */
  show(kind: "explorer" | "diagram", uri: vscode.Uri): void {
    const key = `${kind} ${uri.toString()}`;
    const shown = this.pages.get(key);
    if (shown) return shown.reveal();
    const page = kind === "explorer" ? new Explorer(this.context, this.server, uri) : new Diagram(this.context, this.server, uri);
    this.pages.set(key, page);
    page.panel.onDidDispose(() => this.pages.delete(key));
    page.refresh();
  }

  /** Return the page that has the focus. */
  active(): Page | undefined {
    return [...this.pages.values()].find(({ panel }) => panel.active);
  }

  /** Return the pages of a document. */
  of(uri: vscode.Uri): Page[] {
    return [...this.pages.values()].filter((page) => page.uri.toString() === uri.toString());
  }

  dispose(): void {
    for (const page of [...this.pages.values()]) page.panel.dispose();
    for (const part of this.parts) part.dispose();
  }

  private refresh(uri: vscode.Uri): void {
    for (const page of this.of(uri)) page.refresh();
  }

  private explorerOf(uri: vscode.Uri): Explorer | undefined {
    const page = this.pages.get(`explorer ${uri.toString()}`);
    return page instanceof Explorer ? page : undefined;
  }
}

/** A page of one document in a panel beside it. */
export abstract class Page {
  readonly panel: vscode.WebviewPanel;
  private chosen: string | undefined;
  private asked = 0;

  constructor(
    context: vscode.ExtensionContext,
    protected readonly server: Server,
    readonly uri: vscode.Uri,
    private readonly kind: "explorer" | "diagram",
  ) {
    const beside = { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true };
    const options = { enableScripts: true, localResourceRoots: [] };
    this.panel = vscode.window.createWebviewPanel(`netspec.${kind}`, "", beside, options);
    this.panel.iconPath = vscode.Uri.joinPath(context.extensionUri, ICON);
    this.panel.webview.onDidReceiveMessage((said: Said) => this.hear(said));
    this.name();
  }

  /** The variant that is shown; none: the defaults. */
  get variant(): string | undefined {
    return this.chosen;
  }

  set variant(name: string | undefined) {
    this.chosen = name;
    this.name();
    this.refresh();
  }

  reveal(): void {
    this.panel.reveal(undefined, true);
  }

  /** Show what the document has become; of several answers under way, the last one asked for counts. */
  refresh(): void {
    const number = ++this.asked;
    void this.update(() => number === this.asked);
  }

  tellGone(): void {
    this.tell({ type: "gone" });
  }

  protected get params(): OfDocument {
    return { document: this.uri.toString(), variant: this.variant };
  }

  protected tell(message: object): void {
    void this.panel.webview.postMessage(message);
  }

  protected abstract update(isLast: () => boolean): Promise<void>;
  protected abstract hear(said: Said): void;

  private name(): void {
    const file = path.posix.basename(this.uri.path);
    const title = this.kind === "explorer" ? "Explorer" : "Diagram";
    this.panel.title = `${title} · ${this.variant ?? file}`;
  }
}

/** The explorer. A page keeps what its reader has made of it before the next version takes its place. */
class Explorer extends Page {
  private answer: ExplorerAnswer | undefined;
  private page = "";

  constructor(context: vscode.ExtensionContext, server: Server, uri: vscode.Uri) {
    super(context, server, uri, "explorer");
  }

  tellLine(line: number): void {
    this.tell({ type: "line", line });
  }

  protected override async update(isLast: () => boolean): Promise<void> {
    const shown = this.answer?.version;
    const answer = await this.server.ask<ExplorerAnswer>("netspec/explorer", { ...this.params, shown });
    if (!answer || !isLast()) return;
    const isFirst = !this.answer;
    this.answer = answer;
    if (answer.page !== null) this.page = answer.page;
    if (isFirst) this.panel.webview.html = this.page;
    else if (answer.page !== null) this.tell({ type: "next" });
    else this.tellNews();
  }

  protected override hear(said: Said): void {
    if (said.type === "ready") this.tellNews();
    if (said.type === "next") this.panel.webview.html = this.page;
    if (said.type === "line") void revealLine(this.uri, said.line);
  }

  private tellNews(): void {
    if (!this.answer) return;
    const { version, fault } = this.answer;
    this.tell({ type: "news", news: { version, fault, texts: [], marks: [] } });
  }
}

/** The diagram as Graphviz draws it. */
class Diagram extends Page {
  private answer: DiagramAnswer | undefined;

  constructor(context: vscode.ExtensionContext, server: Server, uri: vscode.Uri) {
    super(context, server, uri, "diagram");
    this.panel.webview.html = diagramPage();
  }

  protected override async update(isLast: () => boolean): Promise<void> {
    const answer = await this.server.ask<DiagramAnswer>("netspec/diagram", this.params);
    if (!answer || !isLast()) return;
    this.answer = answer;
    this.tellAnswer();
  }

  protected override hear(said: Said): void {
    if (said.type === "ready") this.tellAnswer();
  }

  private tellAnswer(): void {
    if (this.answer) this.tell({ type: "diagram", ...this.answer });
  }
}

/** Put the cursor on a line of the text, where it is open, or beside the page; the page keeps the focus. */
async function revealLine(uri: vscode.Uri, line: number): Promise<void> {
  const open = vscode.window.visibleTextEditors.find(({ document }) => document.uri.toString() === uri.toString());
  const column = open?.viewColumn ?? vscode.ViewColumn.One;
  const editor = await vscode.window.showTextDocument(uri, { viewColumn: column, preserveFocus: true });
  const text = editor.document.lineAt(Math.min(line, editor.document.lineCount) - 1);
  const start = new vscode.Position(text.lineNumber, text.firstNonWhitespaceCharacterIndex);
  editor.selection = new vscode.Selection(start, start);
  editor.revealRange(text.range, vscode.TextEditorRevealType.InCenterIfOutsideViewport);
}
