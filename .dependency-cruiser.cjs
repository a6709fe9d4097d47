// Who may import whom: the table of ARCHITECTURE.md, as rules. A room may always import itself.
const TRADES = ['ledger', 'agent', 'sync', 'cost', 'metrics', 'config'];

/** `room` may import from `allowed` rooms and packages only. */
function room(name, allowed, comment) {
  return {
    name: `${name.replace('/', '-')}-imports`,
    comment,
    severity: 'error',
    from: { path: `^src/${name}/`, pathNot: '\\.test\\.ts$' },
    to: { path: '^src/', pathNot: [`^src/${name}/`, ...allowed.map((other) => `^src/${other}`)].join('|') },
  };
}

module.exports = {
  forbidden: [
    room('core', [], 'core is meaning: it knows nobody'),
    ...TRADES.map((trade) => room(trade, ['core/'], 'trades know core, never each other: they take ports as arguments')),
    room('providers/aws', ['core/'], 'providers never know each other'),
    room('providers/local', ['core/'], 'providers never know each other'),
    room('sim', ['core/(errors|money)'], 'the pretend cloud shares no code with its client, or they would share mistakes'),
    room('engine', ['core/', ...TRADES.map((trade) => `${trade}/`)], 'stories know trades and ports, never providers, sim, ui, cli'),
    room('ui', ['core/'], 'listens to events, nothing else'),
    room('cli', ['core/', 'ui/'], 'grammar'),
    room('commands', ['cli/', 'core/', 'engine/', 'ui/', 'app/command-app', 'config/', 'sim/daemon', 'providers/aws/(policies|error-row|error-table|state-reason|spot-status)'], 'words to a request, a result to lines'),
    room('app', ['core/', 'engine/', 'providers/', 'sim/daemon', 'ui/', ...TRADES.map((trade) => `${trade}/`)], 'wiring: the only room that chooses between real and built-in cloud'),
    {
      name: 'sim-inside',
      comment: 'only the outside of the sim (daemon.ts) is for others; the server is a program of its own',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/sim/' },
      to: { path: '^src/sim/', pathNot: '^src/sim/daemon\\.ts$' },
    },
    { name: 'no-cycles', severity: 'error', from: { path: '^src/' }, to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } } },
    { name: 'no-test-imports', severity: 'error', from: { path: '^src/', pathNot: '\\.test\\.ts$' }, to: { path: '\\.test\\.ts$|^test/' } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '\\.test\\.ts$' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.mjs', '.js', '.json'] },
  },
};
