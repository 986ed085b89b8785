import { run } from './run.js';

/** targetcli's information goes to standard output; what goes to standard error is an error, but for this. */
const HARMLESS = /^(Unable to load target_core_.*|Warning: Could not load preferences.*|)$/;

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
  const { status, stderr, output } = single
    ? await run('targetcli', commands[0].split(' '), { mayFail: true })
    : await run('targetcli', [], { input: `${commands.join('\n')}\n`, mayFail: true });
  return { failed: status !== 0 || stderr.split('\n').some((line) => !HARMLESS.test(line)), output };
}
