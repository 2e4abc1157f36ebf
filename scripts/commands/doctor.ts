import process from 'node:process'
import { LeoCommand } from '../core/command.ts'

export const command = new LeoCommand({
  name: 'doctor',
  summary: 'Examine a live database: locks, invalid objects, bloat, queue, roles and grants',
  example: 'doctor json=1',
  exits: { 0: 'no problem', 1: 'warnings, or an error', 2: 'a serious problem' },
  reads: ['DATABASE_URL'],
})
  .flag('json', 'print JSON')
  .run<{ json?: boolean }>(async ({ json }) => {
    const { withClient, orFailure } = await import('../core/connect.ts')
    const { requireMigrated } = await import('../migrate/on-database.ts')
    const { examine, exitCode } = await import('../operate/doctor/doctor.ts')
    const { formatReport } = await import('../operate/doctor/format-text.ts')
    const { resolveTarget } = await import('../postgres/resolve-target.ts')
    const { readAdopted } = await import('../upgrade/adopted.ts')
    const target = await resolveTarget()
    await withClient(target, (client) => orFailure(target, () => requireMigrated(client, target, [])))
    const report = await examine(target, { readAccepted: readAdopted })
    const isColoured = process.stdout.isTTY && !process.env['NO_COLOR']
    process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : formatReport(report, isColoured))
    return exitCode(report)
  })
