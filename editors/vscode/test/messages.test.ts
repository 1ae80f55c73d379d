import assert from "node:assert/strict";
import { test } from "node:test";
import { checked, lookedIn, missing, status, statusMore } from "../src/messages";
import type { Summary } from "../src/protocol";

const SOUND: Summary = { sound: true, errors: 0, variants: [], defaults: true, name: "lenet", params: "61.7k", macs: "416k" };
const FOUND = { python: "/v/bin/python", from: "the PATH", version: "0.1.0" };

test("the status names the network and its size", () => {
  assert.equal(status(SOUND), "$(check) lenet: 61.7k params, 416k MACs");
});

test("errors go before the size, which is of another text", () => {
  assert.equal(status({ ...SOUND, errors: 1 }), "$(error) 1 error · lenet");
  assert.equal(status({ ...SOUND, errors: 2 }), "$(error) 2 errors · lenet");
});

test("a text that has never been a network has errors alone", () => {
  assert.equal(status({ sound: false, errors: 3, variants: [], defaults: false }), "$(error) 3 errors");
  assert.equal(status(null), "netspec");
});

test("more is told where the pointer rests", () => {
  const told = statusMore({ ...SOUND, variants: ["lenet_modern"], errors: 1 }, FOUND);
  assert.deepEqual(told.split("\n\n"), [
    "The text has errors. This is the last state without any:",
    "lenet: 61.7k parameters, 416k MACs a forward pass",
    "netspec 0.1.0 from the PATH: /v/bin/python",
    "variants: lenet_modern",
  ]);
});

test("a Python without the language server is named, since a package mends it", () => {
  const tried = [
    { python: "/a/python", from: "the PATH", reason: "no netspec" },
    { python: "/b/python", from: "the workspace's .venv", reason: "no language server" },
  ] as const;
  const wanted = "netspec in /b/python lacks its language server: `/b/python -m pip install pygls` adds it.";
  assert.equal(missing([...tried]), wanted);
  assert.equal(lookedIn([...tried]).split("\n").length, 2);
  assert.equal(lookedIn([]), "No Python was found.");
});

test("a wrong setting is named", () => {
  const tried = [{ python: "/no/python", from: "the setting netspec.interpreter", reason: "missing" }] as const;
  assert.equal(missing([...tried]), "The setting netspec.interpreter names /no/python, which does not run.");
});

test("a check says how many specs there were", () => {
  assert.equal(checked(0, 0, false), "No spec was found. A spec is a YAML file whose first key is `netspec`.");
  assert.equal(checked(1, 0, false), "1 spec checked, no errors.");
  assert.equal(checked(7, 1, false), "1 of 7 specs has errors.");
  assert.equal(checked(7, 2, true), "Cancelled: 2 of 7 specs have errors.");
});
