/** The real language server, asked by the library that VS Code's client speaks with. It is PYTHON's, or the repository's. */

import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import * as path from "node:path";
import { after, before, test } from "node:test";
import { createProtocolConnection, type ProtocolConnection } from "vscode-languageserver-protocol/node";
import { StreamMessageReader, StreamMessageWriter } from "vscode-jsonrpc/node";
import type { Diagnostic, InlayHint, PublishDiagnosticsParams } from "vscode-languageserver-protocol";
import type { DiagramAnswer, ExplorerAnswer, Summary } from "../src/protocol";
import { probe } from "../src/surroundings";

const ROOT = path.resolve(__dirname, "../../../..");
const PYTHON = process.env["PYTHON"] ?? path.join(ROOT, ".venv/bin/python");
const URI = "file:///nets/small.net.yaml";
const SPEC = "netspec: 1\nname: small\ninputs: {x: [N, 4]}\nnetwork:\n  - linear: {name: fc, out_features: 3}\n";

let server: ChildProcess;
let connection: ProtocolConnection;
let version = 0;
const waiting = new Map<number, (found: Diagnostic[]) => void>();

before(async () => {
  server = spawn(PYTHON, ["-m", "netspec", "lsp"], { stdio: ["pipe", "pipe", "inherit"] });
  assert(server.stdout && server.stdin);
  connection = createProtocolConnection(new StreamMessageReader(server.stdout), new StreamMessageWriter(server.stdin));
  connection.onNotification("textDocument/publishDiagnostics", ({ version, diagnostics }: PublishDiagnosticsParams) => {
    waiting.get(version ?? 0)?.(diagnostics);
  });
  connection.listen();
  await connection.sendRequest("initialize", { processId: process.pid, rootUri: null, capabilities: {} });
  await connection.sendNotification("initialized", {});
});

after(async () => {
  await connection.sendRequest("shutdown");
  await connection.sendNotification("exit");
  await new Promise((resolve) => server.once("close", resolve));
  connection.dispose();
});

/** Open the document with a text, or change it; gives its diagnostics. */
async function write(text: string): Promise<Diagnostic[]> {
  const number = ++version;
  const found = new Promise<Diagnostic[]>((resolve) => waiting.set(number, resolve));
  const textDocument = { uri: URI, languageId: "netspec", version: number, text };
  if (number === 1) await connection.sendNotification("textDocument/didOpen", { textDocument });
  else await connection.sendNotification("textDocument/didChange", { textDocument, contentChanges: [{ text }] });
  return found;
}

test("a Python says what it has", async () => {
  const found = await probe(PYTHON, __dirname);
  assert.equal(found?.lsp, true);
  assert.match(found?.netspec ?? "", /^\d+\.\d+/);
  assert.equal(await probe("/no/such/python", __dirname), undefined);
  assert.equal(await probe("true", __dirname), undefined); // a program that is none
});

test("mistakes and shapes", async () => {
  const [fault] = await write(SPEC.replace("linear", "liner"));
  assert.equal(fault?.range.start.line, 4);
  assert.match(fault.message, /liner/);
  assert.deepEqual(await write(SPEC), []);
  const range = { start: { line: 0, character: 0 }, end: { line: 9, character: 0 } };
  const hints = await connection.sendRequest<InlayHint[]>("textDocument/inlayHint", { textDocument: { uri: URI }, range });
  assert.deepEqual(hints.map(({ label }) => label), ["→ [N, 3]"]);
});

test("the sum, the explorer and the diagram have the forms that this extension reads", async () => {
  await write(SPEC);
  const summary = await connection.sendRequest<Summary>("netspec/summary", { document: URI });
  const wanted: Summary = { sound: true, errors: 0, variants: [], defaults: true, name: "small", params: "15", macs: "12" };
  assert.deepEqual(summary, wanted);
  const explorer = await connection.sendRequest<ExplorerAnswer>("netspec/explorer", { document: URI });
  assert.match(explorer.page ?? "", /acquireVsCodeApi/);
  assert.equal(explorer.fault, "");
  const again = await connection.sendRequest<ExplorerAnswer>("netspec/explorer", { document: URI, shown: explorer.version });
  assert.equal(again.page, null);
  const diagram = await connection.sendRequest<DiagramAnswer>("netspec/diagram", { document: URI });
  assert.match(diagram.svg ?? "", /<svg/);
});
