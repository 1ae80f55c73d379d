import assert from "node:assert/strict";
import * as path from "node:path";
import { test } from "node:test";
import { search, type Probe, type Surroundings } from "../src/interpreter";

const WITH: Probe = { python: [3, 12], netspec: "0.1.0", lsp: true };
const WITHOUT: Probe = { python: [3, 12], netspec: null, lsp: false };
const HALF: Probe = { python: [3, 12], netspec: "0.1.0", lsp: false };

/** A machine with these files, each a Python with what it has, or another file. */
function machine(files: Record<string, Probe | "file">, more: Partial<Surroundings> = {}): Surroundings & { asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    platform: "linux",
    env: { PATH: "/usr/bin:/opt/bin" },
    home: "/home/me",
    setting: "",
    folders: ["/project"],
    own: "/storage/environment",
    chosen: async () => undefined,
    isFile: (file) => file in files,
    real: (file) => file,
    probe: async (python) => {
      asked.push(python);
      const found = files[python];
      return found === "file" ? undefined : found;
    },
    ...more,
  };
}

const foundIn = async (around: Surroundings): Promise<string | undefined> => (await search(around)).found?.python;

test("the setting goes first, with the folder and the home that it names", async () => {
  const all = { "/project/env/bin/python": WITH, "/home/me/env/bin/python": WITH, "/chosen/python": WITH };
  const chosen = async (): Promise<string> => "/chosen/python";
  assert.equal(await foundIn(machine(all, { chosen, setting: "${workspaceFolder}/env/bin/python" })), "/project/env/bin/python");
  assert.equal(await foundIn(machine(all, { chosen, setting: "~/env/bin/python" })), "/home/me/env/bin/python");
});

test("a setting that is wrong is told, not passed over", async () => {
  const { found, tried } = await search(machine({ "/usr/bin/python3": WITH }, { setting: "/no/python" }));
  assert.equal(found, undefined);
  assert.deepEqual(tried, [{ python: "/no/python", from: "the setting netspec.interpreter", reason: "missing" }]);
});

test("then the Python extension's, the workspace's, the PATH's, and netspec's own", async () => {
  const places = ["/chosen/python", "/project/.venv/bin/python", "/project/venv/bin/python", "/usr/bin/python3", "/storage/environment/bin/python"];
  const chosen = async (): Promise<string> => "/chosen/python";
  for (const [at, place] of places.entries()) {
    const files = Object.fromEntries(places.map((each, number) => [each, number < at ? WITHOUT : WITH]));
    assert.equal(await foundIn(machine(files, { chosen })), place);
  }
});

test("in a workspace that is not trusted, its environments are not even asked", async () => {
  const around = machine({ "/project/.venv/bin/python": WITH, "/usr/bin/python3": WITH }, { folders: [] });
  assert.equal(await foundIn(around), "/usr/bin/python3");
  assert.deepEqual(around.asked, ["/usr/bin/python3"]);
});

test("netspec of pipx or uv is found by its link", async () => {
  const files = { "/opt/bin/netspec": "file", "/tools/netspec/bin/python": WITH } as const;
  const real = (file: string): string => file.replace("/opt/bin", "/tools/netspec/bin");
  assert.equal(await foundIn(machine(files, { real })), "/tools/netspec/bin/python");
});

test("a relative folder on the PATH is anybody's", async () => {
  const around = machine({ "bin/python3": WITH, "./python3": WITH, python3: WITH }, { env: { PATH: "bin:.:" } });
  assert.equal(await foundIn(around), undefined);
  assert.deepEqual(around.asked, []);
});

test("what others lack is told, each once", async () => {
  const files = { "/project/.venv/bin/python": HALF, "/usr/bin/python3": WITHOUT, "/opt/bin/python": "file" } as const;
  const chosen = async (): Promise<string> => "/project/.venv/bin/python";
  const { found, tried } = await search(machine(files, { chosen }));
  assert.equal(found, undefined);
  assert.deepEqual(
    tried.map(({ python, reason }) => [python, reason]),
    [
      ["/project/.venv/bin/python", "no language server"],
      ["/usr/bin/python3", "no netspec"],
      ["/opt/bin/python", "missing"],
    ],
  );
});

test("on Windows, environments and programs are called otherwise", { skip: path.sep === "\\" }, async () => {
  const around = machine({ "/project/.venv/Scripts/python.exe": WITH }, { platform: "win32", env: { Path: "/usr/bin" } });
  assert.equal(await foundIn(around), "/project/.venv/Scripts/python.exe");
});
