/** The item in the status bar: the network of the text that is edited, or what is wrong. */

import * as vscode from "vscode";
import { LANGUAGE } from "./association";
import { lookedIn, status, statusMore } from "./messages";
import type { Summary } from "./protocol";
import type { Server } from "./server";

export class Status implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem("netspec.status", vscode.StatusBarAlignment.Left, 10);
  private readonly parts: vscode.Disposable[];

  constructor(private readonly server: Server) {
    this.item.name = "netspec";
    this.item.command = "netspec.menu";
    this.parts = [
      this.item,
      server.onStand(() => void this.refresh()),
      server.onAnalysed((uri) => uri.toString() === edited()?.uri.toString() && void this.refresh()),
      vscode.window.onDidChangeActiveTextEditor(() => void this.refresh()),
    ];
    void this.refresh();
  }

  dispose(): void {
    for (const part of this.parts) part.dispose();
  }

  private async refresh(): Promise<void> {
    const document = edited();
    if (!document) return this.item.hide();
    this.item.show();
    const { stand, found } = this.server;
    this.item.backgroundColor = stand === "missing" ? new vscode.ThemeColor("statusBarItem.warningBackground") : undefined;
    if (stand === "starting") return this.say("$(loading~spin) netspec", "The language server is starting.");
    if (stand === "missing") return this.say("$(warning) netspec not found", lookedIn(this.server.tried));
    if (stand === "stopped" || !found) return this.say("$(circle-slash) netspec", "The language server has stopped.");
    const summary = await this.server.ask<Summary>("netspec/summary", { document: document.uri.toString() });
    if (document === edited()) this.say(status(summary), statusMore(summary, found));
  }

  private say(text: string, more: string): void {
    this.item.text = text;
    this.item.tooltip = more;
  }
}

/** Return the spec that is edited. */
export function edited(): vscode.TextDocument | undefined {
  const document = vscode.window.activeTextEditor?.document;
  return document?.languageId === LANGUAGE ? document : undefined;
}
