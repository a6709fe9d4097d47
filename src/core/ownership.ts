// Whose a thing in the cloud is, by its tags: the one place that decides it. Whatever stops, terminates, cancels or deletes asks
// here first. Not here: what to do about things of others (engine/, which refuses or asks).
import { RunctlError } from './errors.ts';

export type Tags = Readonly<Record<string, string>>;

/** Everything that runctl makes carries owner, project, run and created from its first moment. */
export const OWN_TAG = {
  owner: 'runctl:owner',
  project: 'runctl:project',
  run: 'runctl:run',
  created: 'runctl:created',
  market: 'runctl:market',
  /** Set by people: any value but "false" keeps every command of runctl from ending the thing. */
  protected: 'runctl:protected',
} as const;

/** Made by runctl, whoever ran it: owner and run together. A name, or one of the two alone, proves nothing: people copy tags. */
export function isOurs(tags: Tags): boolean {
  return filled(tags, OWN_TAG.owner) && filled(tags, OWN_TAG.run);
}

export function isProtected(tags: Tags): boolean {
  const mark = Object.hasOwn(tags, OWN_TAG.protected) ? tags[OWN_TAG.protected] : undefined;
  return mark !== undefined && mark.trim().toLowerCase() !== 'false';
}

export const ownerOf = (tags: Tags): string | undefined => tagOf(tags, OWN_TAG.owner);
export const projectOf = (tags: Tags): string | undefined => tagOf(tags, OWN_TAG.project);
export const runOf = (tags: Tags): string | undefined => tagOf(tags, OWN_TAG.run);

/** Throws `protected` for what is protected, or was made by somebody else. `subject` names it in the message. */
export function requireOurs(subject: string, tags: Tags, provider = 'aws'): void {
  if (isProtected(tags)) {
    throw new RunctlError('protected', `${subject} is protected`, {
      cause: `Its tag ${OWN_TAG.protected} is "${tags[OWN_TAG.protected]}". Take the tag away to let it be ended.`,
      hints: [`aws ec2 delete-tags --resources ${subject} --tags Key=${OWN_TAG.protected}`, `runctl ${provider} status ${subject}`],
    });
  }
  if (isOurs(tags)) return;
  throw new RunctlError('protected', `${subject} was not made by runctl`, {
    cause: `It lacks the tags ${OWN_TAG.owner} and ${OWN_TAG.run} that everything made by runctl carries.`,
    hints: [`runctl ${provider} status ${subject}`, `aws ec2 describe-tags --filters Name=resource-id,Values=${subject}`],
  });
}

function filled(tags: Tags, key: string): boolean {
  return Object.hasOwn(tags, key) && (tags[key] as string).trim() !== '';
}

function tagOf(tags: Tags, key: string): string | undefined {
  return filled(tags, key) ? tags[key] : undefined;
}
