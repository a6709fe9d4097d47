// Where the time of one command goes: its calls to the cloud as a proxy on loopback sees them, beside the whole process.
// Not a CPU profiler: for that, node --cpu-prof dist/main.cjs ...
import { spawn } from 'node:child_process';
import { createServer, request } from 'node:http';

/** Runs the command once warm and once watched, and prints a line for each call: when it came, how long the cloud took. */
export async function profileCalls({ node, main, args, env, cwd }) {
  const target = new URL(env.AWS_ENDPOINT_URL);
  const calls = [];
  let startedAt = 0;
  const proxy = createServer((incoming, outgoing) => {
    const parts = [];
    const call = { at: performance.now() - startedAt, name: incoming.headers['x-amz-target'] ?? '', ms: 0 };
    incoming.on('data', (part) => parts.push(part));
    incoming.on('end', () => {
      const body = Buffer.concat(parts);
      call.name ||= new URLSearchParams(body.toString('utf8')).get('Action') ?? `${incoming.method} ${incoming.url?.split('?')[0]}`;
      calls.push(call);
      // The signature covers the Host header, so it goes on as it came.
      const onward = request({ host: target.hostname, port: target.port, method: incoming.method, path: incoming.url, headers: incoming.headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
        answer.pipe(outgoing);
        answer.on('end', () => (call.ms = performance.now() - startedAt - call.at));
      });
      onward.on('error', (error) => outgoing.destroy(error));
      onward.end(body);
    });
  });
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const watched = { ...env, AWS_ENDPOINT_URL: `http://127.0.0.1:${proxy.address().port}` };
  const once = () =>
    new Promise((resolve, reject) => {
      calls.length = 0;
      startedAt = performance.now();
      const child = spawn(node, [main, ...args], { env: watched, cwd, stdio: 'ignore' });
      child.once('error', reject);
      child.once('close', () => resolve(performance.now() - startedAt));
    });
  try {
    await once();
    const wholeMs = await once();
    console.log(`\nrunctl ${args.slice(0, 2).join(' ')}: ${wholeMs.toFixed(0)} ms, ${calls.length} calls`);
    for (const call of calls) console.log(`  at ${call.at.toFixed(0).padStart(4)} ms  ${call.ms.toFixed(1).padStart(6)} ms  ${call.name}`);
    const last = Math.max(0, ...calls.map((call) => call.at + call.ms));
    console.log(`  at ${last.toFixed(0).padStart(4)} ms          the last answer; ${(wholeMs - last).toFixed(0)} ms to the end of the process`);
  } finally {
    proxy.closeAllConnections();
    await new Promise((resolve) => proxy.close(resolve));
  }
}
