import { expect } from 'chai';
import { run } from './run.js';

export interface Finding {
  readonly id: string;
  readonly subject?: string;
  readonly what: string;
  readonly fix?: { readonly command: string; readonly safe: boolean };
  readonly advice?: string;
}

export interface Examination {
  readonly status: number;
  readonly findings: Finding[];
  readonly treatments: (Finding & { readonly mended: boolean; readonly error?: string })[];
}

/** `lunette doctor --json`. */
export async function examine(...args: string[]): Promise<Examination> {
  const { status, stdout } = await run(process.execPath, ['dist/cli/main.js', 'doctor', '--json', ...args], {
    mayFail: true,
  });
  return { status, ...(JSON.parse(stdout) as Omit<Examination, 'status'>) };
}

/** The one finding there is. */
export function only({ status, findings }: Examination): Finding {
  expect(findings, JSON.stringify(findings)).to.have.length(1);
  expect(status).to.equal(1);
  return findings[0];
}

/** `lunette doctor --fix` mends these, and nothing is left. */
export async function mendAll(...ids: string[]): Promise<void> {
  const { status, findings, treatments } = await examine('--fix');
  expect(
    treatments.map(({ id, error }) => [id, error]),
    'treatments',
  ).to.deep.equal(ids.map((id) => [id, undefined]));
  expect(findings, 'left').to.deep.equal([]);
  expect(status).to.equal(0);
}
