import type { Check, Finding } from './finding.js';
import type { Host } from './host.js';

/** What can export a storage object, with what it is for. */
const FABRICS = [
  'tcm_loop',
  'iscsi_target_mod',
  'vhost_scsi',
  'tcm_qla2xxx',
  'tcm_fc',
  'ib_srpt',
  'sbp_target',
];

function isThere(host: Host, module: string): boolean {
  if (host.list('sys/module').includes(module)) return true;
  // Built in: such a module has a folder in sysfs only where it has parameters.
  const release = host.read('proc/sys/kernel/osrelease') ?? '';
  const builtin = host.read(`lib/modules/${release}/modules.builtin`) ?? '';
  return builtin.split('\n').some((path) => path.endsWith(`/${module}.ko`));
}

export const missingModules: Check = {
  id: 'missing-modules',
  readsConfigfs: false,
  find(host: Host): Finding[] {
    const findings: Finding[] = [];
    if (!isThere(host, 'target_core_user')) {
      findings.push({
        id: this.id,
        subject: 'target_core_user',
        what: 'the kernel module target_core_user is not loaded',
        why: 'without it the kernel has no disks that programs can serve, and `lunette serve` does not start',
        fix: { command: 'modprobe target_core_user', safe: true },
        advice:
          'if there is no such module, install the package with the extra modules of the running kernel, or take a ' +
          'kernel with CONFIG_TCM_USER2',
      });
    }
    if (!FABRICS.some((module) => isThere(host, module))) {
      findings.push({
        id: this.id,
        subject: 'tcm_loop',
        what: `none of the modules that export LUNs is loaded (${FABRICS.join(', ')})`,
        why: 'LUNs can be made, but nobody can reach them',
        fix: { command: 'modprobe tcm_loop', safe: true },
        advice:
          'tcm_loop makes disks of this machine; `modprobe iscsi_target_mod` exports over iSCSI instead',
      });
    }
    return findings;
  },
};
