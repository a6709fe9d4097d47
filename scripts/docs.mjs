// Writes the generated pages of docs/ from the code; --check only compares. Bundled on the fly because the sources are TypeScript.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundleProgram } from './build.mjs';

const scratch = mkdtempSync(join(resolve('node_modules'), '.docs-'));
const stale = [];
try {
  await bundleProgram('scripts/docs-pages.ts', scratch);
  const { renderPages } = await import(pathToFileURL(join(scratch, 'docs-pages.cjs')).href).then((module) => module.default ?? module);
  const pages = await renderPages((path) => readFileSync(path, 'utf8'));
  for (const [path, text] of Object.entries(pages)) {
    const before = existsSync(path) ? readFileSync(path, 'utf8') : undefined;
    if (before === text) continue;
    stale.push(path);
    if (!process.argv.includes('--check')) {
      mkdirSync('docs', { recursive: true });
      writeFileSync(path, text);
    }
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
if (process.argv.includes('--check') && stale.length > 0) {
  console.error(`stale: ${stale.join(', ')} (npm run docs)`);
  process.exitCode = 1;
} else {
  console.log(stale.length > 0 ? `wrote ${stale.join(', ')}` : 'generated docs are fresh');
}
