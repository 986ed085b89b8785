import { readFileSync } from 'node:fs';
import type { Host, TcmuObject } from './host.js';

/** A disk of this machine behind which a TCMU device stands. */
export interface LocalDisk {
  /** `sda`; undefined for one that no block driver took. */
  readonly block: string | undefined;
  /** `/dev/sg0` */
  readonly generic: string | undefined;
}

const FABRIC = 'sys/kernel/config/target/loopback';

/** SCSI addresses (host:channel:target:LUN) of the loopback LUNs of a storage object. */
function loopbackAddresses(host: Host, { title }: TcmuObject): string[] {
  const addresses: string[] = [];
  for (const wwn of host.list(FABRIC)) {
    for (const group of host.list(`${FABRIC}/${wwn}`).filter((name) => name.startsWith('tpgt_'))) {
      const folder = `${FABRIC}/${wwn}/${group}`;
      // "1:0:1": the portal group's SCSI host, channel and target.
      const nexus = host.read(`${folder}/address`)?.trim();
      for (const lun of host.list(`${folder}/lun`)) {
        const links = host
          .list(`${folder}/lun/${lun}`)
          .map((name) => host.link(`${folder}/lun/${lun}/${name}`));
        if (links.some((target) => target?.endsWith(`/target/core/${title}`))) {
          addresses.push(`${nexus}:${lun.replace('lun_', '')}`);
        }
      }
    }
  }
  return addresses;
}

/** The unit serial number that a disk showed in VPD page 80h (SPC-4 7.8.16). */
function serialOf(host: Host, block: string): string | undefined {
  try {
    return readFileSync(host.path(`sys/block/${block}/device/vpd_pg80`))
      .toString('latin1', 4)
      .trim();
  } catch {
    return undefined;
  }
}

/** Addresses of the disks with the storage object's serial number: those over iSCSI from this very machine, too. */
function addressesBySerial(host: Host, device: TcmuObject): string[] {
  const text = host.read(host.attribute(device, 'wwn/vpd_unit_serial')) ?? '';
  const serial = text.slice(text.indexOf(':') + 1).trim();
  if (serial === '') return [];
  return host
    .list('sys/block')
    .filter((block) => serialOf(host, block) === serial)
    .map((block) => host.list(`sys/block/${block}/device/scsi_device`)[0])
    .filter((address) => address !== undefined);
}

/** The disks of this machine that a TCMU device is. */
export function disksOf(host: Host, device: TcmuObject): LocalDisk[] {
  const addresses = new Set([...loopbackAddresses(host, device), ...addressesBySerial(host, device)]);
  return [...addresses].map((address) => {
    const folder = `sys/class/scsi_device/${address}/device`;
    const [generic] = host.list(`${folder}/scsi_generic`);
    return {
      block: host.list(`${folder}/block`)[0],
      generic: generic === undefined ? undefined : `/dev/${generic}`,
    };
  });
}
