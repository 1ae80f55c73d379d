import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { before, test } from "node:test";
import type * as vscode from "vscode";
import { activate, type Api } from "../src/extension";
import { seen } from "./window";

const ROOT = path.resolve(__dirname, "../..");
const manifest = JSON.parse(readFileSync(path.join(ROOT, "package.json"), "utf8")) as {
  contributes: { commands: { command: string }[]; languages: { id: string; extensions: string[]; firstLine: string }[] };
};

/** A document as the window has it. */
function document(uri: string, languageId: string, text: string): unknown {
  return { uri, languageId, getText: () => text };
}

let api: Api;

before(async () => {
  seen.settings["interpreter"] = "/no/such/python";
  const context = {
    subscriptions: [],
    extensionPath: ROOT,
    extensionUri: ROOT,
    globalStorageUri: { fsPath: path.join(tmpdir(), "netspec-storage") },
  };
  api = await activate(context as unknown as vscode.ExtensionContext);
});

test("every command that the manifest names is there, and no other", () => {
  const named = manifest.contributes.commands.map(({ command }) => command);
  assert.deepEqual(Object.keys(seen.commands).sort(), named.sort());
});

test("nothing is started before there is a spec", () => {
  assert.equal(api.server.stand, "stopped");
  assert.deepEqual(seen.texts, []);
});

test("YAML files whose first key is netspec become specs; others stay as they are", async () => {
  await seen.fire("open", document("a", "yaml", "# a net\nnetspec: 1\n"));
  await seen.fire("open", document("b", "yaml", "on: push\n"));
  await seen.fire("open", document("c", "python", "netspec: int\n"));
  await seen.fire("save", document("d", "yaml", "netspec: 1\n"));
  assert.deepEqual(seen.languages, [["a", "netspec"], ["d", "netspec"]]);
});

test("where netspec is missing, it is said and asked; without a yes nothing happens", async () => {
  await seen.fire("open", document("a", "netspec", "netspec: 1\n"));
  while (api.server.stand !== "missing" || !seen.texts.length) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual(seen.texts, ["The setting netspec.interpreter names /no/such/python, which does not run."]);
});

test("the setting can be opened from there", async () => {
  seen.texts.length = 0;
  seen.answers.push("Choose an interpreter");
  await seen.commands["netspec.restart"]?.();
  assert.equal(seen.texts.at(-1), "command: workbench.action.openSettings");
});

test("an installation asks first, and ends with a no", async () => {
  seen.settings["interpreter"] = "";
  seen.texts.length = 0;
  await seen.commands["netspec.install"]?.();
  assert.equal(seen.texts[0], "Install netspec?");
  assert.equal(seen.texts.length, 1);
});

test("files called *.net.yaml are specs by their name", () => {
  const [language] = manifest.contributes.languages;
  assert.deepEqual([language?.id, language?.extensions], ["netspec", [".net.yaml", ".net.yml"]]);
  assert.match("netspec: 1", new RegExp(language?.firstLine ?? "^$"));
});
