import { COMMAND_WORDS } from './command-words.ts';

/** A completion script for each shell. After a flag that takes a value, shells offer files. */
export const SCRIPTS: Readonly<Record<string, () => string>> = { bash, zsh, fish };

const commands = Object.keys(COMMAND_WORDS).join(' ');

/** `users` and `users list`, each with what may follow it. */
function cases(): readonly (readonly [path: string, words: string])[] {
  return Object.entries(COMMAND_WORDS).flatMap(([command, { flags, actions }]) => [
    [command, [...Object.keys(actions), ...flags].join(' ')] as const,
    ...Object.entries(actions).map(([action, words]) => [`${command} ${action}`, words.join(' ')] as const),
  ]);
}

/** The branches of bash and zsh, which write `case` alike. */
function branches(): string {
  return cases()
    .map(([path, words]) => `    '${path}') words='${words}' ;;`)
    .join('\n');
}

function bash(): string {
  return `# optix completion bash > /etc/bash_completion.d/optix
_optix_words() {
  case "$1" in
    '') words='${commands}' ;;
${branches()}
    *) return 1 ;;
  esac
}
_optix() {
  local path='' word words='' typed="\${COMP_WORDS[COMP_CWORD]}"
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) break ;; esac
    path="\${path:+$path }$word"
  done
  # Behind a command and its action there may be files or ids.
  until _optix_words "$path"; do
    case "$path" in *' '*) path="\${path% *}" ;; *) break ;; esac
  done
  COMPREPLY=($(compgen -W "$words" -- "$typed"))
}
complete -o default -F _optix optix`;
}

function zsh(): string {
  return `#compdef optix
# optix completion zsh > a file _optix in a directory of $fpath
_optix_words() {
  case "$1" in
    '') offered='${commands}' ;;
${branches().replaceAll("words='", "offered='")}
    *) return 1 ;;
  esac
}
_optix() {
  local typed='' word offered=''
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

function fish(): string {
  const lines = cases().map(([path, words]) => {
    const seen = path.split(' ').map((word) => `__fish_seen_subcommand_from ${word}`);
    const flags = words.split(' ').filter((word) => word.startsWith('--'));
    const actions = words.split(' ').filter((word) => word !== '' && !word.startsWith('--'));
    const condition = seen.join('; and ');
    return [
      ...flags.map((flag) => `complete -c optix -n '${condition}' -l ${flag.slice(2)}`),
      ...(actions.length === 0
        ? []
        : [
            `complete -c optix -f -n '${condition}; and not __fish_seen_subcommand_from ${actions.join(' ')}' -a '${actions.join(' ')}'`,
          ]),
    ].join('\n');
  });
  return [
    '# optix completion fish > ~/.config/fish/completions/optix.fish',
    `complete -c optix -f -n __fish_use_subcommand -a '${commands}'`,
    ...lines.filter((line) => line !== ''),
  ].join('\n');
}
