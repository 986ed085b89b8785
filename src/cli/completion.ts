import type { Command } from 'commander';

/**
 * A completion script for bash (and zsh's bashcompinit): commands, and each one's options with their choices.
 * Made from the program itself, so that it cannot fall behind.
 */
export function bashCompletion(program: Command): string {
  const commands = program.commands.map((command) => command.name());
  const cases = program.commands.flatMap((command) => {
    const options = command.options.flatMap(({ long, argChoices }) => {
      if (!long || !argChoices) return [];
      return [`    '${command.name()} ${long}') words='${argChoices.join(' ')}' ;;`];
    });
    const names = command.options.map(({ long }) => long).filter((long) => long !== undefined);
    return [...options, `    '${command.name()} '*) words='${[...names, '--help'].join(' ')}' ;;`];
  });
  return `# ${program.name()} completion: eval "$(${program.name()} completion)"
_${program.name()}() {
  local words previous=\${COMP_WORDS[COMP_CWORD-1]}
  case "\${COMP_WORDS[1]} $previous" in
${cases.join('\n')}
    *) words='${[...commands, '--help', '--version'].join(' ')}' ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then words='${[...commands, '--help', '--version'].join(' ')}'; fi
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _${program.name()} ${program.name()}
`;
}
