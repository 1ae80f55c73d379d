// What a link holds, behind its `#`: a spec (deflated, in base64 for addresses) or the name of an example, and what is shown.

async function piped(bytes, stream) {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
}

export async function packed(text) {
  const bytes = await piped(new TextEncoder().encode(text), new CompressionStream("deflate-raw"));
  const letters = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

export async function unpacked(code) {
  const letters = atob(code.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
  return new TextDecoder("utf-8", { fatal: true }).decode(await piped(bytes, new DecompressionStream("deflate-raw")));
}

/** What a link says: `spec` is a text, `example` a name; what is not said is empty. */
export async function readLink(hash) {
  const said = new URLSearchParams(hash.replace(/^#/, ""));
  const found = Object.fromEntries(["example", "variant", "view", "against"].map((name) => [name, said.get(name) ?? ""]));
  return { ...found, spec: said.has("spec") ? await unpacked(said.get("spec")) : null };
}

export async function linkTo({ example, text, isEdited, variant, view, against }) {
  const said = new URLSearchParams();
  if (example && !isEdited) said.set("example", example);
  else said.set("spec", await packed(text));
  if (variant) said.set("variant", variant);
  if (view !== "table") said.set("view", view);
  if (view === "diff" && against) said.set("against", against);
  return `#${said}`;
}
