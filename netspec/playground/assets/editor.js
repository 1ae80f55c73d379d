// The editor: CodeMirror with netspec's completion, hover, shapes at the ends of lines, and diagnostics.

import { autocompletion, acceptCompletion, closeBrackets, closeBracketsKeymap, completionKeymap, completionStatus, snippet, startCompletion } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { python } from "@codemirror/lang-python";
import { bracketMatching, codeFolding, foldGutter, foldKeymap, foldService, HighlightStyle, indentService, indentUnit, StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import { lintKeymap, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { EditorState, StateEffect, StateField } from "@codemirror/state";
import { Decoration, drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, hoverTooltip, keymap, lineNumbers, WidgetType } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { element, markdown } from "./markdown.js";

// Colours: those of the explorer's YAML

const VALUE = /^(?:true|false|null|\d[\d_.]*[kKmMG]?)\b/;

const yaml = StreamLanguage.define({
  name: "yaml",
  token(stream) {
    if (stream.eatSpace()) return null;
    if (stream.peek() === "#" && (stream.sol() || /\s/.test(stream.string[stream.pos - 1]))) return stream.skipToEnd(), "comment";
    if (stream.match(/^"(?:[^"\\]|\\.)*"|^'(?:[^']|'')*'/)) return "string";
    if (stream.match(/^[\w$./-]+(?=\s*:(?:\s|$))/)) return "propertyName";
    if (stream.match(VALUE)) return "number";
    if (!stream.match(/^[\w$./]+/)) stream.next();
    return null;
  },
  languageData: { commentTokens: { line: "#" }, closeBrackets: { brackets: ["[", "{", "(", '"', "'"] } },
});

const colours = syntaxHighlighting(
  HighlightStyle.define([
    { tag: tags.comment, color: "color-mix(in srgb, var(--comment) 82%, var(--ink))", fontStyle: "italic" },
    { tag: [tags.propertyName, tags.definition(tags.variableName), tags.function(tags.variableName), tags.className], color: "var(--key)" },
    { tag: tags.string, color: "var(--string)" },
    { tag: [tags.number, tags.bool, tags.null], color: "var(--value)" },
    { tag: [tags.keyword, tags.operatorKeyword, tags.controlKeyword], color: "var(--linear)" },
  ]),
);

const theme = EditorView.theme({
  "&": { height: "100%", backgroundColor: "var(--surface)", color: "var(--ink)", fontSize: "12.5px" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.6" },
  ".cm-content": { caretColor: "var(--ink)", padding: "8px 0 40px" },
  ".cm-cursor": { borderLeftColor: "var(--ink)", borderLeftWidth: "1.6px" },
  ".cm-gutters": { backgroundColor: "var(--surface)", color: "var(--grey)", border: "0" },
  ".cm-lineNumbers .cm-gutterElement": { fontSize: "10.5px", padding: "0 2px 0 10px" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--accent) 7%, transparent)" },
  ".cm-activeLineGutter": { color: "var(--ink)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { background: "color-mix(in srgb, var(--accent) 24%, transparent)" },
  ".cm-selectionMatch": { backgroundColor: "color-mix(in srgb, var(--lit-edge) 22%, transparent)" },
  "&.cm-focused .cm-matchingBracket": { backgroundColor: "color-mix(in srgb, var(--accent) 22%, transparent)" },
  ".cm-foldPlaceholder": { background: "var(--raised)", border: "1px solid var(--line)", color: "var(--grey)", padding: "0 5px" },
  ".cm-tooltip": { backgroundColor: "var(--surface)", border: "1px solid var(--strong-line)", borderRadius: "8px", boxShadow: "0 6px 24px rgb(15 23 42 / .18)", overflow: "hidden" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", fontSize: "12px", maxHeight: "17em" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "3px 8px", lineHeight: "1.45" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { background: "var(--accent)", color: "var(--surface)" },
  ".cm-tooltip-autocomplete ul li[aria-selected] .cm-completionDetail, .cm-tooltip-autocomplete ul li[aria-selected] .cm-completionIcon": { color: "inherit", opacity: "1" },
  ".cm-completionDetail": { color: "var(--grey)", fontStyle: "normal", fontFamily: "var(--sans)", fontSize: "11px", marginLeft: "1.2em" },
  ".cm-completionIcon": { opacity: ".75", width: "1.2em" },
  ".cm-completionInfo.cm-tooltip": { padding: "0" },
  ".cm-panels": { backgroundColor: "var(--raised)", color: "var(--ink)", borderColor: "var(--line)" },
  ".cm-textfield": { backgroundColor: "var(--surface)", border: "1px solid var(--strong-line)", borderRadius: "5px" },
  ".cm-button": { background: "var(--surface)", border: "1px solid var(--strong-line)", borderRadius: "5px" },
  ".cm-diagnostic": { padding: "7px 10px", fontFamily: "var(--sans)", fontSize: "12.5px", whiteSpace: "pre-wrap", maxWidth: "62ch" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--bad)" },
  ".cm-diagnostic-warning": { borderLeftColor: "var(--lit-edge)" },
  ".cm-diagnostic-info": { borderLeftColor: "var(--pale)" },
  ".cm-diagnosticAction": { padding: "1px 8px", borderRadius: "5px", background: "var(--accent)", color: "var(--surface)", fontFamily: "var(--mono)", fontSize: "11.5px" },
  ".cm-lintRange": { backgroundPosition: "left bottom", backgroundRepeat: "repeat-x", paddingBottom: "2px" },
});

// Shapes at the ends of lines

class Shape extends WidgetType {
  constructor(text) {
    super();
    this.text = text;
  }

  eq(other) {
    return other.text === this.text;
  }

  toDOM() {
    return element("span", { class: "hint" }, this.text);
  }
}

const newShapes = StateEffect.define();

const shapes = StateField.define({
  create: () => Decoration.none,
  update(now, transaction) {
    for (const effect of transaction.effects) {
      if (!effect.is(newShapes)) continue;
      const end = transaction.newDoc.length;
      const found = effect.value.filter(([at]) => at <= end);
      return Decoration.set(found.map(([at, text]) => Decoration.widget({ widget: new Shape(text), side: 1 }).range(at)), true);
    }
    return now.map(transaction.changes);
  },
  provide: (field) => EditorView.decorations.from(field),
});

// A line that another pane means

const newMeant = StateEffect.define();

const meant = StateField.define({
  create: () => Decoration.none,
  update(now, transaction) {
    for (const effect of transaction.effects) {
      if (effect.is(newMeant)) return effect.value === null ? Decoration.none : Decoration.set([Decoration.line({ class: "meant" }).range(effect.value)]);
    }
    return transaction.docChanged ? Decoration.none : now;
  },
  provide: (field) => EditorView.decorations.from(field),
});

// Folding and indentation: by how far lines are indented

const depthOf = (text) => text.search(/\S|$/);

const folding = foldService.of((state, start) => {
  const line = state.doc.lineAt(start);
  if (!line.text.trim() || line.text.trim().startsWith("#")) return null;
  const depth = depthOf(line.text);
  let end = line;
  for (let number = line.number + 1; number <= state.doc.lines; number += 1) {
    const next = state.doc.line(number);
    if (next.text.trim() && depthOf(next.text) <= depth) break;
    if (next.text.trim()) end = next;
  }
  return end.number > line.number ? { from: line.to, to: end.to } : null;
});

/** A line behind one that ends in a colon stands deeper; any other stands as the one before it does. */
const indenting = indentService.of((context, at) => {
  const { text } = context.lineAt(at, -1);
  return /:\s*$/.test(text) ? text.match(/^\s*(?:- )*/)[0].length + 2 : depthOf(text);
});

// Completion

const KINDS = { op: "function", block: "class", structure: "keyword", argument: "property", reference: "variable", parameter: "constant", function: "function", word: "enum", network: "namespace" };
const OPENING = /(?:^|\s)- $|[[{$]$|: $/;

/** How an offer is written: netspec marks places as `$1` and `$0`, CodeMirror as `${1}` and `${}`. */
function applied(insert) {
  if (!insert.includes("$") && !insert.includes("\\")) return insert;
  const template = insert.replace(/\\([$}])|\$(\d)|([{}])/g, (_, plain, place, bracket) => (plain ? (plain === "$" ? "$" : "\\}") : bracket ? `\\${bracket}` : place === "0" ? "${}" : `\${${place}}`));
  return snippet(template);
}

function offered(ask) {
  return async (context) => {
    const before = context.matchBefore(/[$\w.]*/);
    const opening = OPENING.test(context.state.sliceDoc(Math.max(0, context.pos - 4), context.pos));
    if (!context.explicit && !before?.text && !opening) return null;
    const found = await ask("complete", context.state.doc.toString(), context.pos);
    if (!found.items.length) return null;
    const options = found.items.map(({ label, kind, insert, detail, documentation }, at) => ({
      label,
      detail,
      type: KINDS[kind],
      apply: applied(insert),
      boost: Math.max(-99, 50 - at),
      info: documentation ? () => markdown(documentation) : undefined,
    }));
    return { from: found.from, options, validFor: /^[$\w.]*$/ };
  };
}

/** Offer words once a sign has been typed behind which one stands. */
const offering = EditorView.updateListener.of((update) => {
  const isTyped = update.transactions.some((each) => each.isUserEvent("input.type") || each.isUserEvent("input.complete"));
  if (!isTyped || completionStatus(update.state)) return;
  const { head } = update.state.selection.main;
  if (OPENING.test(update.state.sliceDoc(Math.max(0, head - 4), head))) setTimeout(() => startCompletion(update.view));
});

const accessible = EditorView.contentAttributes.of({ "aria-label": "Spec, in YAML", "aria-describedby": "keys", spellcheck: "false", tabindex: "0" });

const MARGIN = 24;

const lineOf = (state) => state.doc.lineAt(state.selection.main.head).number;

/**
 * The editor of the spec. `ask` puts a question to netspec, `onEdit` is told each new text, and `onLine` the line that
 * the cursor comes to.
 */
export class Editor {
  constructor(place, { ask, current, onEdit, onLine }) {
    this.onEdit = onEdit;
    const hover = hoverTooltip(async (view, at) => {
      if (!current()) return null;
      const text = await ask("hover", at).catch(() => null);
      return text ? { pos: at, above: true, create: () => ({ dom: markdown(text) }) } : null;
    });
    const told = EditorView.updateListener.of((update) => {
      if (update.docChanged) this.onEdit(update.state.doc.toString(), false);
      if (update.selectionSet && lineOf(update.state) !== lineOf(update.startState)) onLine(lineOf(update.state));
    });
    this.extensions = [
      [lineNumbers(), foldGutter({ openText: "⌄", closedText: "›" }), codeFolding(), folding, highlightActiveLine(), highlightActiveLineGutter()],
      [history(), drawSelection(), bracketMatching(), closeBrackets(), highlightSelectionMatches(), indentUnit.of("  "), indenting],
      [yaml, colours, theme, shapes, meant, accessible, hover, told, offering],
      autocompletion({ override: [offered(ask)], icons: true, maxRenderedOptions: 60 }),
      keymap.of([{ key: "Tab", run: acceptCompletion }, ...closeBracketsKeymap, ...completionKeymap, ...lintKeymap, ...foldKeymap, ...searchKeymap, ...historyKeymap, ...defaultKeymap, indentWithTab]),
    ];
    this.view = new EditorView({ parent: place, state: this.stateOf("") });
    this.height = place.clientHeight;
    new ResizeObserver(() => this.resize(place.clientHeight)).observe(place);
  }

  /** Keep the cursor in sight where less is seen than before, as when problems come to be listed below. */
  resize(height) {
    const before = this.height;
    this.height = height;
    const { head } = this.view.state.selection.main;
    const bottom = (this.view.coordsAtPos(head)?.bottom ?? 0) - this.view.dom.getBoundingClientRect().top;
    if (bottom > height && bottom <= before) this.view.dispatch({ effects: EditorView.scrollIntoView(head, { yMargin: MARGIN }) });
  }

  stateOf(text) {
    return EditorState.create({ doc: text, extensions: this.extensions });
  }

  get text() {
    return this.view.state.doc.toString();
  }

  /** The line of the cursor. */
  get line() {
    return lineOf(this.view.state);
  }

  /** Show another text; what was done to the one before can no longer be undone. */
  open(text) {
    this.view.setState(this.stateOf(text));
    this.view.scrollDOM.scrollTo(0, 0);
    this.onEdit(this.text, true);
  }

  show({ problems, hints }) {
    const length = this.view.state.doc.length;
    const found = problems.map(({ from, to, severity, text, id, repair }) => ({
      from: Math.min(from, length),
      to: Math.min(to, length),
      severity: severity === "note" ? "info" : severity,
      message: text,
      source: id,
      actions: repair ? [{ name: repair.word, apply: (_, now) => this.repair(repair, now - from) }] : [],
    }));
    this.view.dispatch({ effects: newShapes.of(hints) }, setDiagnostics(this.view.state, found));
  }

  /** Put the word that is meant in the place of the wrong one, which text before it may have moved. */
  repair({ from, to, word }, moved = 0) {
    this.view.dispatch({ changes: { from: from + moved, to: to + moved, insert: word }, userEvent: "input.complete" });
    this.view.focus();
  }

  /** Bring a line into sight and mark it; the cursor goes there where the editor is to be typed in next. */
  go(line, at = null) {
    const { doc } = this.view.state;
    if (line < 1 || line > doc.lines) return;
    const start = doc.line(line).from;
    this.view.dispatch({
      effects: [newMeant.of(start), EditorView.scrollIntoView(start, { y: "nearest", yMargin: 60 })],
      selection: at === null ? undefined : { anchor: Math.min(at, doc.length) },
    });
    if (at !== null) this.view.focus();
  }
}

/** A listing of Python, to read. */
export class Listing {
  constructor(place) {
    const attributes = EditorView.contentAttributes.of({ "aria-label": "PyTorch source", "aria-readonly": "true", tabindex: "0" });
    const extensions = [lineNumbers(), foldGutter({ openText: "⌄", closedText: "›" }), python(), colours, theme, attributes, EditorState.readOnly.of(true), keymap.of([...foldKeymap, ...searchKeymap, ...defaultKeymap]), drawSelection(), bracketMatching()];
    this.view = new EditorView({ parent: place, state: EditorState.create({ extensions }) });
  }

  show(text) {
    const { doc } = this.view.state;
    if (doc.toString() !== text) this.view.dispatch({ changes: { from: 0, to: doc.length, insert: text } });
  }
}
