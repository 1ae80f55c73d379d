/** Which YAML files are specs. */

/** The language that specs have. */
export const LANGUAGE = "netspec";

/** As much of a file as tells; a licence may stand above the first key. */
export const HEAD = 8192;

const FIRST_KEY = /^(["']?)netspec\1\s*:(\s|$)/;
const NO_KEY = /^(\s*(#.*)?|%.*|---\s*(#.*)?)$/;

/** Return whether the first key of a YAML text is `netspec`. */
export function isSpec(text: string): boolean {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  const first = lines.find((line) => !NO_KEY.test(line));
  return first !== undefined && FIRST_KEY.test(first);
}
