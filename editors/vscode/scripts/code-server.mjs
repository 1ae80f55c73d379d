// Installs code-server, VS Code in a browser, into a folder: `node scripts/code-server.mjs FOLDER`. Everything comes from
// npm: its own scripts would fetch from elsewhere what can be built here (the modules in C++, with the headers of this
// Node) or is on npm too (ripgrep). It takes a minute or two, a C++ compiler and 330 MB. tests/editors/test_code_server.py uses it.

import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";

/** The last one for Node 20. */
const VERSION = "4.100.3";
const RIPGREP = "1.18.0";
const NODE_GYP = "10.3.1";

const folder = path.resolve(process.argv[2] ?? "");
if (!process.argv[2]) throw new Error("usage: node scripts/code-server.mjs FOLDER");

/** The folder that Node's headers are below, so that none are fetched. */
const headers = path.resolve(process.execPath, "../..");
if (!existsSync(path.join(headers, "include/node/node.h"))) throw new Error(`no headers of Node in ${headers}/include/node`);

const env = { ...process.env, npm_config_nodedir: headers };
const npm = (cwd, ...words) => execFileSync("npm", words, { cwd, env, stdio: ["ignore", "ignore", "pipe"] });
const install = (cwd, ...words) => npm(cwd, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev", ...words);
const build = (module) => npm(module, "exec", "--yes", `--package=node-gyp@${NODE_GYP}`, "--", "node-gyp", "rebuild");

mkdirSync(folder, { recursive: true });
writeFileSync(path.join(folder, "package.json"), "{}");
install(folder, `code-server@${VERSION}`, `@vscode/ripgrep-linux-x64@${RIPGREP}`);

const modules = path.join(folder, "node_modules");
const code = path.join(modules, "code-server/lib/vscode");
install(code);
install(path.join(code, "extensions"));
for (const name of ["native-watchdog", "@vscode/spdlog", "node-pty"]) build(path.join(code, "node_modules", name));
npm(path.join(modules, "argon2"), "exec", "--yes", "--package=@mapbox/node-pre-gyp@1.0.11", "--", "node-pre-gyp", "install", "--build-from-source");

const link = path.join(code, "node_modules.asar");
rmSync(link, { force: true });
symlinkSync("node_modules", link);
cpSync(path.join(modules, "@vscode/ripgrep-linux-x64/bin"), path.join(code, "node_modules/@vscode/ripgrep/bin"), { recursive: true });
console.log(`node ${path.join(modules, "code-server/out/node/entry.js")}`);
