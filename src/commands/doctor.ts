// runctl doctor
import { EXIT } from '../core/errors.ts';
import { type DoctorResult, doctor } from '../engine/doctor.ts';
import { defineCommand } from './define.ts';

export const doctorCommand = defineCommand({
  description: 'Checks what a run needs, changes nothing and costs nothing.',
  flags: { iamInstanceProfile: { kind: 'text', placeholder: 'NAME', summary: 'profile to check (else aws.iam_instance_profile)' } },
  examples: ['runctl doctor', 'runctl doctor --sim', 'runctl doctor --output json'],
  run: ({ flags }, app) => doctor(app, { provider: 'aws', profile: flags.iamInstanceProfile }),
  text: (result: DoctorResult, style) =>
    result.checks
      .map((check) => {
        const mark = { ok: style.good('ok  '), warning: style.warn('warn'), failed: style.bad('FAIL') }[check.outcome];
        return `${mark} ${check.name}: ${style.foreign(check.detail)}${check.fix && check.outcome !== 'ok' ? `\n       ${style.bold(check.fix.replaceAll('\n', '\n       '))}` : ''}`;
      })
      .join('\n'),
  exitCode: (result: DoctorResult) => (result.ok ? EXIT.done : EXIT.config),
});
