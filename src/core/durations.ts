// Lengths of time for sentences.

/** As `durationText`, but nothing took "0 s". */
export function elapsedText(ms: number): string {
  return ms < 1000 ? 'less than a second' : durationText(ms);
}

/** `45 s`, `12 min`, `3 h 20 min`, `2 d 4 h`. Never negative. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return hours % 24 === 0 ? `${hours / 24} d` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
