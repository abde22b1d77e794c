import type { CommandNode } from './command-tree.ts';

type Tree = readonly CommandNode[];

/** A completion script for each shell. Behind a flag that takes a value, and for names of files, shells offer files. */
export const SCRIPTS: Readonly<Record<string, (tree: Tree) => string>> = { bash, zsh, fish };

function wordsOf({ actions, flags }: CommandNode): string {
  return [...actions, ...flags.map(({ name }) => `--${name}`)].join(' ');
}

/** The branches of bash and zsh, which write `case` alike. */
function branches(tree: Tree): string {
  return tree.map((node) => `    '${node.path}') offered='${wordsOf(node)}' ;;`).join('\n');
}

/** Flags after which the next word is a value, as a pattern of bash and zsh. */
function valueFlags(tree: Tree): string {
  const names = tree.flatMap(({ flags }) => flags.filter(({ takesValue }) => takesValue));
  return [...new Set(names.map(({ name }) => `--${name}`))].join('|');
}

function bash(tree: Tree): string {
  return `# optix completion bash > /etc/bash_completion.d/optix
_optix_words() {
  case "$1" in
${branches(tree)}
    *) return 1 ;;
  esac
}
_optix() {
  local path='' word offered='' typed="\${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=()
  case "\${COMP_WORDS[COMP_CWORD-1]}" in ${valueFlags(tree)}) return ;; esac
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) break ;; esac
    path="\${path:+$path }$word"
  done
  # Behind a command and its action there may be files or ids.
  until _optix_words "$path"; do
    case "$path" in *' '*) path="\${path% *}" ;; *) break ;; esac
  done
  COMPREPLY=($(compgen -W "$offered" -- "$typed"))
}
complete -o default -F _optix optix`;
}

function zsh(tree: Tree): string {
  return `#compdef optix
# optix completion zsh > a file _optix in a directory of $fpath
_optix_words() {
  case "$1" in
${branches(tree)}
    *) return 1 ;;
  esac
}
_optix() {
  local typed='' word offered=''
  case "\${words[CURRENT-1]}" in ${valueFlags(tree)}) _files; return ;; esac
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$word" in -*) break ;; esac
    typed="\${typed:+$typed }$word"
  done
  until _optix_words "$typed"; do
    case "$typed" in *' '*) typed="\${typed% *}" ;; *) break ;; esac
  done
  compadd -- \${=offered}
  _files
}
# Loaded from $fpath this file is the function itself; sourced, it has to be made known.
if [ "$funcstack[1]" = _optix ]; then _optix "$@"; else compdef _optix optix; fi`;
}

function fish(tree: Tree): string {
  const lines = tree.flatMap(({ path, actions, flags }) => {
    const seen = path.split(' ').map((word) => `__fish_seen_subcommand_from ${word}`);
    const here = path === '' ? '__fish_use_subcommand' : seen.join('; and ');
    const words = actions.join(' ');
    const without = path === '' ? here : `${here}; and not __fish_seen_subcommand_from ${words}`;
    return [
      ...(words === '' ? [] : [`complete -c optix -f -n '${without}' -a '${words}'`]),
      ...flags.map(
        ({ name, takesValue }) => `complete -c optix -n '${here}' -l ${name}${takesValue ? ' -r' : ''}`,
      ),
    ];
  });
  return ['# optix completion fish > ~/.config/fish/completions/optix.fish', ...lines].join('\n');
}
