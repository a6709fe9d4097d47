// The command that makes another machine like one that is gone.
import type { Machine } from '../core/machine.ts';
import { shellWord } from '../core/quote.ts';

/** `flags`: more of them. Of the same type, from the same market (nobody who bought spot wants to pay the on-demand price by pasting
 *  a hint), and with the same profile, without which nobody could reach it. */
export function freshCommand({ provider, type, market, profile }: Pick<Machine, 'provider' | 'type' | 'market' | 'profile'>, flags?: string): string {
  const command = `runctl ${provider} create ${type}${market === 'spot' ? ' --spot' : ''}`;
  return [command, ...(profile === undefined ? [] : [`--iam-instance-profile ${shellWord(profile)}`]), ...(flags ? [flags] : []), '--wait'].join(' ');
}
