// runctl doctor
import { resolve } from 'node:path';
import { CONFIG_FILE } from '../config/load.ts';
import { EXIT } from '../core/errors.ts';
import { type DoctorResult, doctor } from '../engine/doctor.ts';
import { MACHINE_FLAGS, newMachine } from './aws/machine-flags.ts';
import { defineCommand } from './define.ts';

const { projectName: _project, rootVolumeSize: _disk, ...NEEDS } = MACHINE_FLAGS;

export const doctorCommand = defineCommand({
  description:
    'Checks what a run needs, changes nothing and costs nothing: credentials, region, the machine type with its zones, subnet, image, security group, key pair and quota, the instance profile with its role, and the bucket. create, train and workflow train check the same before anything is billed.\nWith --fix it offers to put right what it can, one question each (--yes answers): create a private bucket and write aws.s3_bucket, create the role and profile that SSM needs, attach the missing policy. "runctl aws policy setup" prints the rights that this takes.',
  flags: {
    fix: { kind: 'switch', summary: 'offer to repair what can be repaired' },
    instanceType: { kind: 'text', placeholder: 'TYPE', summary: 'machine type to check (default: aws.default_instance_type)' },
    bucket: { kind: 'text', placeholder: 'NAME', summary: 'bucket to check (else aws.s3_bucket)' },
    ...NEEDS,
  },
  examples: [
    'runctl doctor',
    'runctl doctor --sim',
    'runctl doctor --instance-type g5.xlarge --region eu-west-1',
    'runctl doctor --bucket my-bucket --iam-instance-profile my-profile',
    'runctl doctor --fix',
    'runctl doctor --output json',
  ],
  run: ({ flags }, app) =>
    doctor(app, {
      provider: 'aws',
      machine: { type: flags.instanceType ?? app.config.aws.default_instance_type, ...newMachine({ ...flags, projectName: undefined, rootVolumeSize: undefined }) },
      bucket: flags.bucket,
      fix: flags.fix ?? false,
      configFile: resolve(app.cwd, app.configPath ?? app.settings().file ?? CONFIG_FILE),
    }),
  text: ({ checks, fixed, repair }: DoctorResult, style) => {
    const width = Math.max(...checks.map(({ name }) => name.length)) + 1;
    const lines = checks.flatMap(({ name, outcome, detail, fix, remedy }) => {
      const mark = { ok: style.good('ok  '), warning: style.warn('warn'), failed: style.bad('FAIL'), skipped: style.dim('skip') }[outcome];
      const advice = outcome === 'ok' || outcome === 'skipped' ? undefined : (fix ?? (remedy && repair));
      return [
        `${mark} ${`${name}:`.padEnd(width)} ${style.foreign(detail)}`,
        ...(advice ? [`${' '.repeat(width + 6)}${style.bold(advice.replaceAll('\n', `\n${' '.repeat(width + 6)}`))}`] : []),
      ];
    });
    const offered = checks.filter(({ remedy, outcome }) => remedy && outcome !== 'ok');
    return [
      ...lines,
      ...fixed.map((line) => `${style.good('done')} ${style.foreign(line)}`),
      ...(repair ? [`"${repair}" can put right: ${offered.map(({ name }) => name).join(', ')}`] : []),
    ].join('\n');
  },
  exitCode: (result: DoctorResult) => (result.ok ? EXIT.done : EXIT.config),
});
