// How the agent cuts output: 24,000 and 8,000 characters for GetCommandInvocation, 2,500 for both together in listings.
// Source: amazon-ssm-agent, iohandler.go (limits, TruncateOutput, its marks), pluginutil.go (StringPrefix);
// SSM API Reference, CommandPlugin.Output ("The maximum length allowed is 2,500 characters").

const STDOUT_LIMIT = 24_000;
const STDERR_LIMIT = 8_000;
const LISTING_LIMIT = 2_500;
const SUFFIX = '--output truncated--';
const TRUNCATED_OUT = '\n---Output truncated---';
const TRUNCATED_ERROR = '\n---Error truncated----';
const ERROR_TITLE = '\n----------ERROR-------\n';

export function cutStdout(text: string): string {
  return prefix(text, STDOUT_LIMIT);
}

export function cutStderr(text: string): string {
  return prefix(text, STDERR_LIMIT);
}

function prefix(text: string, limit: number): string {
  return text.length <= limit ? text : text.slice(0, limit - SUFFIX.length) + SUFFIX;
}

/** Both streams in one text, each cut only as far as the other needs the room. */
export function mergeOutput(stdout: string, stderr: string): string {
  const title = stderr.length > 0 ? ERROR_TITLE : '';
  const room = LISTING_LIMIT - title.length;
  if (stdout.length + stderr.length < room) return stdout + title + stderr;
  if (stdout.length > room / 2 && stderr.length > room / 2) {
    const half = Math.floor((room - TRUNCATED_OUT.length - TRUNCATED_ERROR.length) / 2);
    return stdout.slice(0, half) + TRUNCATED_OUT + title + stderr.slice(0, half) + TRUNCATED_ERROR;
  }
  if (stdout.length < room / 2) {
    return stdout + title + stderr.slice(0, room - TRUNCATED_ERROR.length - stdout.length) + TRUNCATED_ERROR;
  }
  return stdout.slice(0, room - TRUNCATED_OUT.length - stderr.length) + TRUNCATED_OUT + title + stderr;
}
