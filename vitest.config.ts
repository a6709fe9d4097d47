import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    globalSetup: 'test/support/scratch.ts',
    // Sharing one module graph per worker is six times faster; tests keep no state in modules.
    isolate: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Most tests wait for real processes, so more files than cores may run at once.
    maxWorkers: 4,
    // Many of them wait for real processes on machines that others use too: in CI one that missed its moment is tried once more, and
    // the report says so.
    retry: process.env.CI ? 1 : 0,
  },
});
