import { fileURLToPath } from 'node:url';
import { SERVICE } from '../../target/handler-directory.js';
import { shellWord, type Check } from './finding.js';

const POLICIES = ['usr/share/dbus-1/system.d', 'etc/dbus-1/system.d'];
const ours = fileURLToPath(new URL(`../../../share/dbus-1/system.d/${SERVICE}.conf`, import.meta.url));

export const busPolicy: Check = {
  id: 'bus-policy',
  readsConfigfs: false,
  find(host) {
    const allowed = POLICIES.some((folder) =>
      host
        .list(folder)
        .some(
          (file) => file.endsWith('.conf') && host.read(`${folder}/${file}`)?.includes(`own="${SERVICE}"`),
        ),
    );
    if (allowed) return [];
    return [
      {
        id: this.id,
        what: `the system bus has no policy that lets anyone own ${SERVICE}`,
        why: 'targetcli looks for handlers under that name: it lists none, and user: backstores cannot be made with it',
        fix: {
          command:
            `install -D -m 644 -t /usr/share/dbus-1/system.d ${shellWord(ours)}\n` +
            'dbus-send --system --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.ReloadConfig',
          safe: true,
        },
        advice: 'then start `lunette serve` anew, where it runs',
      },
    ];
  },
};
