/** Completion scripts. The words come from the command declarations, so they cannot fall behind. */
import type { CommandDecl, OptionDecl } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { GLOBAL_OPTIONS } from "../globals.ts";
import type { CommandEntry } from "../registry.ts";

interface Node {
  /** Words typed so far, joined by a space; empty at the top. */
  path: string;
  subcommands: readonly { name: string; summary: string }[];
  options: readonly OptionDecl[];
  choices: readonly string[];
  /** Its argument is a file. */
  files: boolean;
}

const FILE_ARGUMENTS = new Set(["script", "file", "path"]);

async function nodes(commands: readonly CommandEntry[]): Promise<Node[]> {
  const result: Node[] = [
    {
      path: "",
      subcommands: commands.filter((c) => !c.hidden),
      options: GLOBAL_OPTIONS,
      choices: [],
      files: false,
    },
  ];
  const add = (path: string, command: CommandDecl) => {
    const first = command.args?.[0];
    result.push({
      path,
      subcommands: (command.subcommands ?? []).filter((s) => !s.hidden),
      options: [...command.options.filter((o) => !o.hidden), ...GLOBAL_OPTIONS],
      choices: first?.choices ?? [],
      files: first !== undefined && FILE_ARGUMENTS.has(first.name),
    });
    for (const sub of command.subcommands ?? []) add(`${path} ${sub.name}`, sub);
  };
  for (const entry of commands) if (!entry.hidden) add(entry.name, await entry.load());
  return result;
}

const words = (node: Node) => [
  ...node.subcommands.map((s) => s.name),
  ...node.choices,
  ...node.options.map((o) => o.flag),
];

function optionChoices(all: readonly Node[]): [string, string][] {
  const pairs = new Map<string, string>();
  for (const node of all)
    for (const o of node.options) if (o.choices !== undefined) pairs.set(o.flag, o.choices.join(" "));
  return [...pairs];
}

/**
 * The longest known command path in the words typed, as shell code that bash and zsh share. It is called `chain` because
 * zsh ties `path` to PATH.
 */
function pathLoop(all: readonly Node[], array: string): string {
  const known = all
    .filter((n) => n.path !== "")
    .map((n) => `"${n.path}"`)
    .join("|");
  return [
    "  local chain='' word",
    `  for word in "\${${array}[@]}"; do`,
    `    case "\${chain:+$chain }$word" in`,
    `      ${known}) chain="\${chain:+$chain }$word" ;;`,
    "    esac",
    "  done",
  ].join("\n");
}

function bash(all: readonly Node[]): string {
  const byOption = optionChoices(all).map(
    ([flag, list]) => `    ${flag}) COMPREPLY=($(compgen -W "${list}" -- "$cur")); return ;;`,
  );
  const byPath = all.map(
    (n) => `    "${n.path}") words="${words(n).join(" ")}"${n.files ? "; files=1" : ""} ;;`,
  );
  return `# bash completion of llmspell: llmspell completion bash > ~/.local/share/bash-completion/completions/llmspell
_llmspell() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" words='' files=''
  local typed=("\${COMP_WORDS[@]:1:COMP_CWORD-1}")
${pathLoop(all, "typed")}
  case "$prev" in
${byOption.join("\n")}
    --config|-c|--file|-o) COMPREPLY=($(compgen -f -- "$cur")); return ;;
  esac
  case "$chain" in
${byPath.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  if [ -n "$files" ] && [[ "$cur" != -* ]]; then COMPREPLY+=($(compgen -f -- "$cur")); fi
}
complete -o filenames -o bashdefault -F _llmspell llmspell
`;
}

function zsh(all: readonly Node[]): string {
  const quote = (text: string) => `'${text.replaceAll("'", "'\\''").replaceAll(":", "\\:")}'`;
  const entry = (name: string, doc: string) => `'${name.replaceAll(":", "\\:")}:'${quote(doc)}`;
  const byPath = all.map((n) => {
    const list = [
      ...n.subcommands.map((s) => entry(s.name, s.summary)),
      ...n.choices.map((c) => entry(c, c)),
      ...n.options.map((o) => entry(o.flag, o.doc)),
    ];
    return `    "${n.path}") list=(${list.join(" ")})${n.files ? "; files=1" : ""} ;;`;
  });
  const byOption = optionChoices(all).map(([flag, list]) => `    ${flag}) compadd -- ${list}; return ;;`);
  return `#compdef llmspell
# zsh completion of llmspell: llmspell completion zsh > "\${fpath[1]}/_llmspell"
_llmspell() {
  local -a list typed
  local files=''
  typed=("\${(@)words[2,CURRENT-1]}")
${pathLoop(all, "typed")}
  case "$words[CURRENT-1]" in
${byOption.join("\n")}
    --config|-c|--file|-o) _files; return ;;
  esac
  case "$chain" in
${byPath.join("\n")}
  esac
  _describe -t commands llmspell list
  [[ -n "$files" ]] && _files
}
compdef _llmspell llmspell
`;
}

function fish(all: readonly Node[]): string {
  const quote = (text: string) => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  const lines = [
    "# fish completion of llmspell: llmspell completion fish > ~/.config/fish/completions/llmspell.fish",
    "function __llmspell_at",
    "  set -l path ''",
    "  for word in (commandline -opc)[2..-1]",
    '    set -l next (string trim -- "$path $word")',
    `    contains -- "$next" ${all
      .filter((n) => n.path !== "")
      .map((n) => quote(n.path))
      .join(" ")}; and set path $next`,
    "  end",
    '  test "$path" = "$argv[1]"',
    "end",
    "complete -c llmspell -f",
  ];
  for (const node of all) {
    const at = `complete -c llmspell -n ${quote(`__llmspell_at '${node.path}'`)}`;
    for (const sub of node.subcommands) lines.push(`${at} -a ${quote(sub.name)} -d ${quote(sub.summary)}`);
    for (const choice of node.choices) lines.push(`${at} -a ${quote(choice)}`);
    if (node.files) lines.push(`${at} -F`);
    for (const o of node.options) {
      const value =
        o.value === undefined
          ? ""
          : o.choices === undefined
            ? " -r -F"
            : ` -x -a ${quote(o.choices.join(" "))}`;
      const short = o.short === undefined ? "" : ` -s ${o.short.slice(1)}`;
      lines.push(`${at} -l ${o.flag.slice(2)}${short}${value} -d ${quote(o.doc)}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

const SHELLS = { bash, zsh, fish } as const;

/** @param commands what there is to complete; handed in, because the registry lists this command too */
export const completionCommand = (commands: readonly CommandEntry[]): CommandDecl => ({
  name: "completion",
  summary: "Print a completion script for bash, zsh or fish",
  details: "The first line of each script says where to put it.",
  options: [],
  args: [{ name: "shell", doc: "bash, zsh or fish", choices: Object.keys(SHELLS) }],
  async run(io, args) {
    const script = SHELLS[args.shell as keyof typeof SHELLS](await nodes(commands));
    if (io.mode === "json") io.json({ shell: args.shell, script });
    else io.write(script);
    return EXIT.ok;
  },
});
