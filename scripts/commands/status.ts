import process from 'node:process'
import { LeoCommand } from '../core/command.ts'

export const command = new LeoCommand({
  name: 'status',
  summary: 'Show which migrations are pending, edited, missing or out of order',
  example: 'status all=1',
  exits: { 0: 'all migrations are applied', 1: 'make migrate would refuse, or an error', 3: 'some migrations are pending' },
  reads: ['DATABASE_URL'],
})
  .flag('all', 'also list applied migrations')
  .flag('json', 'print JSON')
  .run<{ all?: boolean; json?: boolean }>(async ({ all, json }) => {
    const { resolveTarget } = await import('../postgres/resolve-target.ts')
    const { status } = await import('../migrate/migrator.ts')
    const target = await resolveTarget()
    const migrations = await status(target)
    const count = (state: string): number => migrations.filter((row) => row.state === state).length
    const refused = count('edited') + count('missing') + count('out of order')
    if (json) {
      const report = { database: target.label, is_current: refused + count('pending') === 0, migrations }
      process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
    } else {
      const states = ['applied', 'pending', 'edited', 'missing', 'out of order']
      const shown = states.filter((state) => state === 'applied' || count(state) > 0)
      const lines = migrations
        .filter(({ state }) => all || state !== 'applied')
        .map(({ version, name, state }) => `${state.padEnd(12)}  ${version}_${name}.sql`)
      const summary = `${target.label}: ${shown.map((state) => `${count(state)} ${state}`).join(', ')}`
      process.stdout.write([...lines, summary, ''].join('\n'))
    }
    if (refused > 0) return 1
    return count('pending') > 0 ? 3 : 0
  })
