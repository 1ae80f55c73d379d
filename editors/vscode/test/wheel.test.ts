import assert from "node:assert/strict";
import * as path from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const SCRIPT = pathToFileURL(path.resolve(__dirname, "../../scripts/wheel.mjs")).href;
const METADATA = `Name: netspec
Requires-Dist: pyyaml>=6.0.2
Requires-Dist: torch>=2.11
Requires-Dist: onnxruntime-gpu>=1.23; (sys_platform == 'linux')
Requires-Dist: tomli>=2; python_version < '3.11'
Provides-Extra: lsp
Requires-Dist: pygls<3,>=2; extra == 'lsp'
Provides-Extra: test
Requires-Dist: pytest>=8; extra == 'test'
`;

test("the half that the extension installs has no PyTorch, and has the language server", async () => {
  const { requirements } = (await import(SCRIPT)) as { requirements: (metadata: string) => string[] };
  assert.deepEqual(requirements(METADATA), ["pyyaml>=6.0.2", "tomli>=2; python_version < '3.11'", "pygls<3,>=2"]);
});
