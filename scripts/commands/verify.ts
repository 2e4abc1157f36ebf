import { performance } from 'node:perf_hooks'
import process from 'node:process'
import type pg from 'pg'
import { LeoCommand } from '../core/command.ts'
import { plural, printable } from '../core/text.ts'
import type { VerifyFinding } from '../schema/verify/finding.ts'

export const command = new LeoCommand({
  name: 'verify',
  summary: 'Compare the schema with the migrations, and reconcile the row counts of the upgrade',
  example: 'verify json=1',
  exits: { 0: 'no difference, or known ones only', 1: 'differences, or an error' },
  reads: ['DATABASE_URL'],
})
  .flag('json', 'print JSON')
  .flag('deep', 'read all files of snapshots instead of a sample')
  .run<{ json?: boolean; deep?: boolean }>(async ({ json, deep = false }) => {
    const { withClient, orFailure } = await import('../core/connect.ts')
    const { seconds } = await import('../core/progress.ts')
    const { requireMigrated } = await import('../migrate/on-database.ts')
    const { resolveTarget } = await import('../postgres/resolve-target.ts')
    const { verify } = await import('../schema/verify/verify.ts')
    const { readAdopted } = await import('../upgrade/adopted.ts')
    const { examineBooks } = await import('../upgrade/books.ts')
    const started = performance.now()
    const target = await resolveTarget()
    await withClient(target, (client) => orFailure(target, () => requireMigrated(client, target, [])))
    const books = (client: pg.Client) => examineBooks(client, { deep, report: everyTenSeconds() })
    const findings = await verify(target, { readAccepted: readAdopted, examinations: [books] })
    const wrong = findings.filter(({ isKnown }) => !isKnown).length
    if (json) {
      const report = { database: target.label, is_right: wrong === 0, findings }
      process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
    } else {
      const counts = `${plural(wrong, 'difference')}, ${findings.length - wrong} known`
      const summary = `${target.label}: ${counts} (${seconds(performance.now() - started)})`
      process.stdout.write([...findings.flatMap(lines), summary, ''].join('\n'))
    }
    return wrong === 0 ? 0 : 1
  })

/** Reports progress every ten seconds: reading all files of a large table takes hours. */
function everyTenSeconds(): (read: number) => void {
  let next = performance.now() + 10_000
  return (read) => {
    if (performance.now() < next) return
    next = performance.now() + 10_000
    process.stderr.write(`read the files of ${read} snapshots\n`)
  }
}

function lines({ what, remedy, isKnown }: VerifyFinding): string[] {
  if (isKnown) return [`known  ${printable(what)}`]
  return [`wrong  ${printable(what)}`, ...(remedy === undefined ? [] : [`         → ${printable(remedy)}`])]
}
