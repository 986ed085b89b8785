import { diagnose, mend, type Treatment } from '../daemon/doctor/doctor.js';
import type { Finding } from '../daemon/doctor/finding.js';

export interface DoctorOptions {
  fix?: boolean;
  json?: boolean;
}

function paragraph(label: string, text: string): string {
  const [first, ...rest] = text.split('\n');
  return [`  ${label.padEnd(6)} ${first}`, ...rest.map((line) => `         ${line}`)].join('\n');
}

function print({ id, what, why, fix, advice }: Finding): void {
  console.log(`${what}  [${id}]`);
  console.log(paragraph('why', why));
  if (fix) console.log(paragraph('fix', fix.command));
  if (fix && !fix.safe) console.log(paragraph('', '(not for --fix: read on before you run it)'));
  if (advice !== undefined) console.log(paragraph(fix ? 'note' : 'do', advice));
  console.log('');
}

function printTreatment({ finding, error }: Treatment): void {
  console.log(error === undefined ? `mended: ${finding.what}` : `not mended: ${finding.what}`);
  console.log(paragraph('ran', finding.fix?.command ?? ''));
  if (error !== undefined) console.log(paragraph('said', error));
  console.log('');
}

function summary(findings: readonly Finding[]): string {
  if (findings.length === 0) return 'healthy: nothing found';
  const mendable = findings.filter(({ fix }) => fix?.safe).length;
  const count = findings.length === 1 ? '1 finding' : `${findings.length} findings`;
  return mendable === 0 ? count : `${count}; \`lunette doctor --fix\` runs the commands of ${mendable}`;
}

/** `lunette doctor`: exit status 0 where nothing is wrong (any longer), 1 otherwise. */
export async function doctor(options: DoctorOptions): Promise<void> {
  if (process.platform !== 'linux') {
    throw new Error("TCMU is a part of Linux: here, only 'lunette demo' and 'lunette export' run");
  }
  if (process.geteuid?.() !== 0) {
    throw new Error("root is needed to see other processes' files and configfs: run it with 'sudo'");
  }
  const { treatments, findings } = options.fix
    ? await mend()
    : { treatments: [], findings: await diagnose() };
  if (options.json) {
    const treated = treatments.map(({ finding, error }) => ({
      ...finding,
      mended: error === undefined,
      error,
    }));
    console.log(JSON.stringify({ healthy: findings.length === 0, findings, treatments: treated }, null, 2));
  } else {
    treatments.forEach(printTreatment);
    findings.forEach(print);
    console.log(summary(findings));
  }
  if (findings.length > 0) process.exitCode = 1;
}
