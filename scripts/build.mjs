// Bundles src/ into dist/: CommonJS chunks, one per lazily loaded command, because an ESM entry costs Node 8-12 ms a start
// and unbundled AWS clients cost over half a second (docs/decisions/0002-bundle.md).
import { chmodSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** `import text from './file.sh?raw'`: the file's text, as Vite reads it in tests. */
const rawText = {
  name: 'raw-text',
  resolveId(source, importer) {
    return source.endsWith('?raw') ? resolve(dirname(importer), source) : null;
  },
  load(id) {
    return id.endsWith('?raw')
      ? { code: `export default ${JSON.stringify(readFileSync(id.slice(0, -4), 'utf8'))};`, moduleType: 'js' }
      : null;
  },
};

const common = {
  cwd: root,
  platform: 'node',
  external: ['libsql'],
  plugins: [rawText],
  // The clients' "module" builds can be tree-shaken; their "main" builds cannot (1.2 MB against 0.1 MB for two operations).
  resolve: { mainFields: ['module', 'main'], conditionNames: ['module', 'import', 'node'] },
  onLog(level, log, handler) {
    if (log.code !== 'CIRCULAR_DEPENDENCY' && log.code !== 'EVAL') handler(level, log);
  },
};

/** One program of ours (docs, benchmarks) as a CommonJS file `<name>.cjs` in `directory`. */
export async function bundleProgram(input, directory) {
  const bundle = await rolldown({ ...common, input });
  await bundle.write({ dir: directory, format: 'cjs', entryFileNames: '[name].cjs', chunkFileNames: '[name]-[hash].cjs' });
}

async function build() {
  // Made beside the old one and swapped in: a program that runs meanwhile still finds its chunks a moment before and after.
  const fresh = resolve(root, `dist.${process.pid}`);
  const bundle = await rolldown({ ...common, input: { main: 'src/main.ts', 'sim-server': 'src/sim/main.ts' } });
  await bundle.write({
    dir: fresh,
    format: 'cjs',
    minify: true,
    entryFileNames: '[name].cjs',
    chunkFileNames: 'chunks/[name]-[hash].cjs',
    // `import()` of a built-in module would start Node's ES module loader: 4 ms.
    dynamicImportInCjs: false,
    codeSplitting: { groups: [{ name: 'shared-sdk', test: /node_modules/, minShareCount: 3 }] },
    banner: (chunk) => (chunk.name === 'main' && chunk.isEntry ? '#!/usr/bin/env node' : ''),
  });
  chmodSync(resolve(fresh, 'main.cjs'), 0o755);
  rmSync(resolve(root, 'dist'), { recursive: true, force: true });
  renameSync(fresh, resolve(root, 'dist'));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await build();
