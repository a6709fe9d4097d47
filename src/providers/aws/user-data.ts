// The script of a plan as EC2's user data. cloud-init runs a shell script of user data at the first boot only, and what stands in its
// per-boot directory at every boot: the script puts itself there. A boothook runs at every boot as it is. Source: cloud-init documentation, "Boot stages" and "User data formats";
// EC2 User Guide, "Run commands on your Linux instance at launch".
import { RunctlError } from '../../core/errors.ts';

/** Before base64 (EC2 API Reference, RunInstances, UserData). */
const LARGEST_BYTES = 16_384;

/** Only where cloud-init runs it as user data: `$0` is another one at later boots, and wherever else the script is run. */
const AT_EVERY_BOOT = 'case "$0" in /var/lib/cloud/instance*/scripts/*) cp "$0" /var/lib/cloud/scripts/per-boot/runctl-boot && chmod 700 /var/lib/cloud/scripts/per-boot/runctl-boot ;; esac';

/** Base64, as the SDK wants it. Throws `usage` for a script that EC2 would not take. */
export function userData(script: string): string {
  const [first = '', ...rest] = script.split('\n');
  const text = first.startsWith('#!') ? [first, AT_EVERY_BOOT, ...rest].join('\n') : script;
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length > LARGEST_BYTES) {
    throw new RunctlError('usage', `the boot script of the machine has ${bytes.length} bytes; EC2 takes ${LARGEST_BYTES}`, { cause: 'user data is limited by EC2', hints: ['runctl config show   # shorter values under lease make it shorter'] });
  }
  return bytes.toString('base64');
}
