/** A window in VS Code's place: what the extension registers and says is kept, and what it asks is answered as a test wants. */

type Listener = (value: unknown) => unknown;

/** Whatever somebody names and no test looks at. */
export function anything(): unknown {
  const made = function (): void {};
  return new Proxy(made, {
    get: (_, name) => (name === "then" ? undefined : name === "prototype" ? made.prototype : anything()),
    apply: () => anything(),
    construct: () => ({}),
  });
}

const listeners: Record<string, Listener[]> = {};
const event = (name: string) => (call: Listener) => {
  (listeners[name] ??= []).push(call);
  return { dispose: () => undefined };
};

/** What a test sees and sets. */
export const seen = {
  commands: {} as Record<string, () => unknown>,
  texts: [] as string[],
  answers: [] as (string | undefined)[],
  languages: [] as [string, string][],
  settings: {} as Record<string, unknown>,
  item: { text: "", tooltip: "", shown: false },
  fire: async (name: string, value: unknown): Promise<void> => {
    for (const call of listeners[name] ?? []) await call(value);
  },
};

const say = async (text: string, ..._: unknown[]): Promise<string | undefined> => {
  seen.texts.push(text);
  return seen.answers.shift();
};

/** The names of VS Code's module that the extension uses before there is a language server. */
export const named: Record<string, unknown> = {
  EventEmitter: class {
    private readonly calls: Listener[] = [];
    readonly event = (call: Listener): { dispose: () => void } => {
      this.calls.push(call);
      return { dispose: () => undefined };
    };
    fire(value: unknown): void {
      for (const call of this.calls) call(value);
    }
    dispose(): void {}
  },
  Disposable: class {
    dispose(): void {}
  },
  commands: {
    registerCommand: (name: string, run: () => unknown) => {
      seen.commands[name] = run;
      return { dispose: () => undefined };
    },
    executeCommand: async (name: string) => void seen.texts.push(`command: ${name}`),
  },
  extensions: { getExtension: () => undefined },
  StatusBarAlignment: { Left: 1, Right: 2 },
  TextEditorSelectionChangeKind: { Keyboard: 1, Mouse: 2, Command: 3 },
  Range: class {},
  ThemeColor: class {},
  languages: {
    createDiagnosticCollection: () => anything(),
    setTextDocumentLanguage: async ({ uri }: { uri: string }, language: string) => void seen.languages.push([uri, language]),
  },
  window: {
    activeTextEditor: undefined,
    createOutputChannel: () => anything(),
    createStatusBarItem: () => Object.assign(seen.item, { hide: () => (seen.item.shown = false), show: () => (seen.item.shown = true), dispose: () => undefined }),
    showWarningMessage: say,
    showInformationMessage: say,
    showErrorMessage: say,
    onDidChangeActiveTextEditor: event("editor"),
    onDidChangeTextEditorSelection: event("selection"),
  },
  workspace: {
    isTrusted: true,
    textDocuments: [],
    workspaceFolders: undefined,
    getConfiguration: () => ({ get: (name: string, otherwise: unknown) => seen.settings[name] ?? otherwise }),
    onDidOpenTextDocument: event("open"),
    onDidSaveTextDocument: event("save"),
    onDidGrantWorkspaceTrust: event("trust"),
    onDidChangeConfiguration: event("configuration"),
  },
};
