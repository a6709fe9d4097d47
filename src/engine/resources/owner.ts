// Whose machines commands work on when nobody is named.
import { userInfo } from 'node:os';
import type { App } from '../app.ts';

/** The person whom new machines are tagged with: the setting, else the login name. */
export function ownerName(app: Pick<App, 'config'>): string {
  return app.config.aws.owner ?? userInfo().username;
}
