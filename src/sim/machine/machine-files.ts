// What lies on the host for one machine: its disk (kept from boot to boot), its /tmp (cleared at each boot), its few /etc files.
// By design: the rest of the guest's file system is the host's own, read-only.
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { MachineSpec } from '../cloud.ts';

const HOME_USER = 'ec2-user';
const HOME_UID = 1000;

/** Makes what is missing and clears what does not outlive a boot. `chownHome`: whether the host lets us give the home to uid 1000.
 *  `homeFiles`: text by path in the home, for its owner only; what is there already stays. */
export function prepareMachineFiles(directory: string, spec: MachineSpec, chownHome: boolean, homeFiles: Record<string, string> = {}): void {
  const home = join(directory, 'disk', HOME_USER);
  for (const name of [HOME_USER, 'root', 'var-tmp', 'ssm']) mkdirSync(join(directory, 'disk', name), { recursive: true, mode: 0o755 });
  rmSync(join(directory, 'tmp'), { recursive: true, force: true });
  for (const name of ['tmp', 'etc']) mkdirSync(join(directory, name), { recursive: true });
  chmodSync(home, 0o700);
  chmodSync(join(directory, 'disk', 'root'), 0o700);
  // mkdir's mode is cut by the umask.
  for (const name of ['tmp', 'disk/var-tmp']) chmodSync(join(directory, name), 0o1777);
  if (chownHome) chownSync(home, HOME_UID, HOME_UID);
  for (const [path, text] of Object.entries(homeFiles)) {
    const file = join(home, path);
    if (existsSync(file)) continue;
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(file, text, { mode: 0o600 });
    if (chownHome) for (let each = file; each !== home; each = dirname(each)) chownSync(each, HOME_UID, HOME_UID);
  }
  const etc = (name: string, text: string): void => writeFileSync(join(directory, 'etc', name), text);
  etc('hostname', `${spec.hostname}\n`);
  etc('hosts', `127.0.0.1 localhost localhost.localdomain\n${spec.privateIp} ${spec.hostname}.${spec.region}.compute.internal ${spec.hostname}\n`);
  etc('passwd', withAccount('/etc/passwd', `${HOME_USER}:x:${HOME_UID}:${HOME_UID}:EC2 Default User:/home/${HOME_USER}:/bin/bash`));
  etc('group', withAccount('/etc/group', `${HOME_USER}:x:${HOME_UID}:`));
}

/** The host's accounts with the cloud's own put second, so that uid 1000 is called ec2-user whoever has it on the host. */
function withAccount(file: string, line: string): string {
  const [first = '', ...others] = readFileSync(file, 'utf8').split('\n');
  return [first, line, ...others.filter((other) => !other.startsWith(`${HOME_USER}:`))].join('\n');
}
