import { SERVICE } from '../../target/handler-directory.js';
import type { Check, Finding } from './finding.js';
import type { Host } from './host.js';
import { processIds, readProcess } from './processes.js';

const ACTIVATION = ['usr/local/share', 'usr/share', 'lib'].map(
  (folder) => `${folder}/dbus-1/system-services/${SERVICE}.service`,
);

/** Whether the bus starts tcmu-runner for whoever calls the name: the first of these files is the one it takes. */
function isActivatable(host: Host): boolean {
  const file = ACTIVATION.map((path) => host.read(path)).find((text) => text !== undefined);
  if (file === undefined || !file.includes('tcmu-runner')) return false;
  return host.link('etc/systemd/system/tcmu-runner.service') !== '/dev/null';
}

export const tcmuRunner: Check = {
  id: 'tcmu-runner',
  readsConfigfs: false,
  async find(host): Promise<Finding[]> {
    let owner: number | undefined;
    try {
      owner = await host.nameOwner();
    } catch (error) {
      return [
        {
          id: 'no-bus',
          what: (error as Error).message,
          why: 'targetcli finds the handlers over the system bus; LUNs that exist are served without it',
          fix: { command: 'systemctl start dbus', safe: true },
          advice: 'a host that makes its LUNs without targetcli can do without: `lunette serve --no-bus`',
        },
      ];
    }
    const running = processIds(host).find((pid) => readProcess(host, pid).command === 'tcmu-runner');
    if (running !== undefined) {
      return [
        {
          id: this.id,
          subject: `tcmu-runner (pid ${running})`,
          what:
            running === owner
              ? `tcmu-runner owns ${SERVICE} and answers the kernel for every device`
              : 'tcmu-runner runs beside lunette and answers the kernel, too',
          why: 'it refuses each device that is not its own, so that creating one of lunette’s fails',
          fix: { command: 'systemctl disable --now tcmu-runner', safe: false },
          advice:
            'its own LUNs go with it. To keep both, create lunette’s with control=nl_reply_supported=-1, which makes ' +
            'the kernel wait for nobody’s answer',
        },
      ];
    }
    if (owner === undefined && isActivatable(host)) {
      return [
        {
          id: this.id,
          subject: 'tcmu-runner',
          what: `nobody owns ${SERVICE}, and the bus starts tcmu-runner as soon as targetcli asks for it`,
          why: 'it then refuses each device that is not its own, and lunette comes too late to own the name',
          fix: { command: 'systemctl mask tcmu-runner', safe: false },
          advice:
            'where lunette serve always starts before targetcli (share/systemd/lunette.service does), this cannot happen',
        },
      ];
    }
    return [];
  },
};
