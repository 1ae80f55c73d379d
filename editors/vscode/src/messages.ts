/** The texts that people read, apart from the code that shows them. */

import type { Found, Tried } from "./interpreter";
import type { Summary } from "./protocol";

const REASONS: Record<Tried["reason"], string> = {
  missing: "does not run",
  "no netspec": "has no netspec",
  "no language server": "has netspec, but not what its language server needs (pygls)",
};

/** Say where netspec was looked for in vain. */
export function lookedIn(tried: Tried[]): string {
  if (!tried.length) return "No Python was found.";
  return tried.map(({ python, from, reason }) => `${python} (${from}) ${REASONS[reason]}`).join("\n");
}

/** Ask what to do where no Python has netspec. */
export function missing(tried: Tried[]): string {
  const half = tried.find(({ reason }) => reason === "no language server");
  if (half) return `netspec in ${half.python} lacks its language server: \`${half.python} -m pip install pygls\` adds it.`;
  const named = tried.find(({ from }) => from.startsWith("the setting"));
  if (named) return `The setting netspec.interpreter names ${named.python}, which ${REASONS[named.reason]}.`;
  return "netspec was not found: neither in the Python that is chosen, nor in the workspace, nor on the PATH.";
}

/** Say what an installation will do, before it is done. */
export function installing(folder: string, python: string): string {
  return (
    `A virtual environment is made with ${python} in ${folder}. It gets netspec, which this extension brings, and the ` +
    "small packages that checking, shapes and drawing need, from your package index: some 90 MB. PyTorch is not among " +
    "them; to train, install netspec with it into an environment of yours, which then goes first."
  );
}

/** Say in a few words what the network is, for the status bar. */
export function status(summary: Summary | null): string {
  if (!summary) return "netspec";
  const errors = summary.errors ? `$(error) ${counted(summary.errors, "error")}` : "";
  if (!summary.sound) return errors || "netspec";
  const size = `${summary.name}: ${summary.params} params, ${summary.macs} MACs`;
  return errors ? `${errors} · ${summary.name}` : `$(check) ${size}`;
}

/** Say more of the same, where a pointer rests. */
export function statusMore(summary: Summary | null, found: Found): string {
  const lines = [`netspec ${found.version} from ${found.from}: ${found.python}`];
  if (summary?.sound) lines.unshift(`${summary.name}: ${summary.params} parameters, ${summary.macs} MACs a forward pass`);
  if (summary?.sound && summary.errors) lines.unshift("The text has errors. This is the last state without any:");
  if (summary?.variants.length) lines.push(`variants: ${summary.variants.join(", ")}`);
  return lines.join("\n\n");
}

/** Say how a check of many specs has ended. */
export function checked(specs: number, faulty: number, cancelled: boolean): string {
  const before = cancelled ? "Cancelled: " : "";
  if (!specs) return `${before}No spec was found. A spec is a YAML file whose first key is \`netspec\`.`;
  if (!faulty) return `${before}${counted(specs, "spec")} checked, no errors.`;
  return `${before}${faulty} of ${counted(specs, "spec")} ${faulty === 1 ? "has" : "have"} errors.`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
