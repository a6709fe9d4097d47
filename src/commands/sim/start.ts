// runctl sim start
import { resolve } from 'node:path';
import { readWeatherFile } from './weather/file.ts';
import { defineCommand } from '../define.ts';

export const simStartCommand = defineCommand({
  description: 'A server on 127.0.0.1 that speaks the AWS protocols; its instances are sandboxed processes of this machine. It keeps its state on disk and ends by itself when nothing happens in it for a while.',
  flags: {
    dial: { kind: 'choice', values: ['instant', 'quick', 'realistic'], summary: 'how long things take (default: sim.dial)' },
    latency: { kind: 'switch', summary: 'let each request take as long as one to AWS' },
    isolation: { kind: 'choice', values: ['auto', 'network', 'namespace', 'process'], default: 'auto', summary: 'how machines are kept apart; auto takes the best that the kernel allows' },
    internet: { kind: 'switch', summary: 'let machines reach the package indexes, with the settings of pip and uv here (default: sim.internet)' },
    port: { kind: 'number', placeholder: 'PORT', min: 1, max: 65_535, summary: 'fixed port (default: the last one, else any)' },
    rate: { kind: 'number', placeholder: 'N', min: 1, max: 10_000, summary: 'world seconds in a real one, as "runctl sim clock --rate" sets it (default: what it was, 1 at first)' },
    weather: { kind: 'text', placeholder: 'FILE', summary: 'plan of faults (TOML or JSON); replaces the one it has' },
  },
  examples: ['runctl sim start', 'runctl sim start --dial realistic', 'runctl sim start --rate 60', 'runctl sim start --output json'],
  run: async ({ flags }, app) => {
    const rules = flags.weather === undefined ? undefined : await readWeatherFile(resolve(app.cwd, flags.weather));
    const sim = await app.sim();
    const { started, port, pid } = await sim.start({ dial: flags.dial, latency: flags.latency, isolation: flags.isolation, internet: flags.internet, port: flags.port });
    if (rules) await sim.weather.load(rules);
    if (flags.rate !== undefined) await sim.call('clock', { rate: flags.rate });
    return { started, endpoint: `http://127.0.0.1:${port}`, pid, directory: sim.directory };
  },
  text: (result, style) => `The built-in cloud ${result.started ? 'runs' : 'was running already, with its settings of then (runctl sim stop ends it),'} at ${style.bold(result.endpoint)} (pid ${result.pid})\nPoint this shell at it: eval "$(runctl sim env)"`,
});
