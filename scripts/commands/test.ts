import { LeoCommand, Option } from '../core/command.ts'

export const command = new LeoCommand({
  name: 'test',
  summary: 'Run the core tests and those that a change affects, on a throw-away server',
  example: 'test file=apps,tenants',
  exits: { 130: 'interrupted', 143: 'terminated' },
})
  .flag('all', 'run all tests except the long ones')
  .flag('full', 'run the long tests')
  .option('--file <names>', 'run the named files, separated by commas: apps, or full/diff')
  .addOption(new Option('--major <version>', 'the major version of PostgreSQL').choices(['15', '16', '17', '18']).default('17'))
  .run<{ all?: true; full?: true; file?: string; major: string }>(async ({ all, full, file, major }) => {
    const { runTests } = await import('../test-runner/run-tests.ts')
    const names = (file ?? '').split(',').map((name) => name.trim())
    return runTests({ scope: full ? 'full' : all ? 'all' : 'affected', names: names.filter(Boolean), major })
  })
