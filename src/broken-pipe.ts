// A reader that went away (`| head`, a terminal that was closed) is no error of ours, and no reason to leave a machine behind.

let leave = (): void => process.exit(process.exitCode ?? 0);

/** What to do, instead of ending at once, when nobody reads the result any more. */
export function whenReaderIsGone(act: () => void): void {
  leave = act;
}

export function tolerateBrokenPipes(): void {
  const isGone = (error: NodeJS.ErrnoException): boolean => ['EPIPE', 'EIO', 'ECONNRESET'].includes(error.code ?? '');
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (!isGone(error)) throw error;
    leave();
  });
  // Progress that nobody reads: the work itself goes on.
  process.stderr.on('error', (error: NodeJS.ErrnoException) => {
    if (!isGone(error)) throw error;
  });
}
