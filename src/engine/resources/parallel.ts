// Many things at a time, though not all.

/** `width` at a time; the answers in the order of the things. The first failure ends it. */
export async function inBatches<Thing, Answer>(things: readonly Thing[], width: number, work: (thing: Thing) => Promise<Answer>): Promise<Answer[]> {
  const answers: Answer[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let n = next++; n < things.length; n = next++) answers[n] = await work(things[n] as Thing);
  };
  await Promise.all(Array.from({ length: Math.min(width, things.length) }, worker));
  return answers;
}
