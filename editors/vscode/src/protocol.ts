/** What the language server answers beyond the protocol; `netspec/lsp/extras/pages.py` has the other side. */

/** The parameters of every request about a document that is open. */
export interface OfDocument {
  /** The document's URI. */
  document: string;
  /** A variant of the spec; none: the defaults. */
  variant?: string | undefined;
}

/** `netspec/summary`: what a line about the network can say. */
export interface Summary {
  /** There is, or has been, a network. */
  sound: boolean;
  errors: number;
  variants: string[];
  /** There is a network besides the variants. */
  defaults: boolean;
  name?: string;
  params?: string;
  macs?: string;
}

/** `netspec/explorer`: a page, unless the version that is shown is the last. */
export interface ExplorerAnswer {
  version: string;
  page: string | null;
  /** The errors of the text as it stands now. */
  fault: string;
}

/** `netspec/diagram`: a picture, or why there is none. */
export interface DiagramAnswer {
  svg: string | null;
  problem: string | null;
}
