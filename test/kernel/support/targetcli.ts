import { run } from './run.js';

/** The colour of an error: all that tells one where targetcli's commands come from standard input. */
const RED = '\u001b[31m';
const COLOURS = /\u001b\[\d*m/g; // eslint-disable-line no-control-regex

export interface TargetcliResult {
  readonly failed: boolean;
  readonly output: string;
}

/**
 * Run targetcli's commands, one after the other, in one process (starting it takes a second in the guest).
 * @throws Error with the output, where a command failed
 */
export async function targetcli(...commands: string[]): Promise<string> {
  const { failed, output } = await attempt(...commands);
  if (failed) throw new Error(`targetcli ${commands.join('; ')}:\n${output}`);
  return output;
}

/** As targetcli(), but a failing command is the caller's to judge. */
export async function attempt(...commands: string[]): Promise<TargetcliResult> {
  const single = commands.length === 1 && commands[0] !== undefined;
  const { status, output } = single
    ? await run('targetcli', commands[0].split(' '), { mayFail: true })
    : await run('targetcli', [], { input: `${commands.join('\n')}\n`, mayFail: true });
  return { failed: status !== 0 || output.includes(RED), output: output.replace(COLOURS, '') };
}
