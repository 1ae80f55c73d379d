import assert from "node:assert/strict";
import { test } from "node:test";
import { isSpec } from "../src/association";

const SPECS = {
  "the key alone": "netspec: 1\nname: it\n",
  "comments and blank lines before": "# yaml-language-server: $schema=netspec.schema.json\n\n  # more\nnetspec: 1\n",
  "a byte order mark": "\uFEFFnetspec: 1\n",
  "lines of Windows": "# it\r\nnetspec: 1\r\n",
  "the start of a document": "%YAML 1.2\n---\nnetspec: 1\n",
  "a quoted key": '"netspec": 1\n',
  "no value yet": "netspec:",
};

const OTHERS = {
  "nothing": "",
  "comments alone": "# netspec: 1\n",
  "another key first": "name: it\nnetspec: 1\n",
  "a key that begins so": "netspecs: 1\n",
  "a text": "netspec:1\n",
  "a key of something else": "tool:\n  netspec: 1\n",
  "an indented key": "  netspec: 1\n",
};

for (const [what, text] of Object.entries(SPECS)) test(`a spec: ${what}`, () => assert.equal(isSpec(text), true));
for (const [what, text] of Object.entries(OTHERS)) test(`no spec: ${what}`, () => assert.equal(isSpec(text), false));
