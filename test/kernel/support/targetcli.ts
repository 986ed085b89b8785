import { run, type RunResult } from './run.js';

/**
 * Run targetcli's commands, one after the other, in one process (starting it takes seconds in the guest).
 * targetcli goes on after a command that failed and may still exit with 0, so its output is looked at, too.
 * @throws Error with the output, where a command failed
 */
export async function targetcli(...commands: string[]): Promise<string> {
  const { status, output } = await attempt(...commands);
  if (status !== 0 || /^(cfgstring invalid|No such path|Syntax error|.*[Ee]rror\b|Cannot|Could not)/m.test(output)) {
    throw new Error(`targetcli ${commands.join('; ')}: exit ${status}\n${output}`);
  }
  return output;
}

/** As targetcli(), but a failing command is the caller's to judge. */
export function attempt(...commands: string[]): Promise<RunResult> {
  if (commands.length === 1) return run('targetcli', (commands[0] ?? '').split(' '), { mayFail: true });
  return run('targetcli', [], { input: `${commands.join('\n')}\n`, mayFail: true });
}
