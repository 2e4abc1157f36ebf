import process from 'node:process'
import { LeoCommand } from '../core/command.ts'
import { isConfirmed, previewLine } from '../core/confirm.ts'
import type { Expired } from '../operate/retention/retention.ts'

export const command = new LeoCommand({
  name: 'retention',
  summary: 'Show the rows that are older than the retention policy allows; with CONFIRM delete them',
  example: 'retention age=user_activity_log=90d,cleanup_outbox=7d',
  exits: { 130: 'stopped; the next run continues' },
  reads: ['DATABASE_URL', 'CONFIRM'],
})
  .option('--age <table=days>', 'ages for this run instead of those of the policy: <table>=<days>d, separated by commas')
  .flag('json', 'print JSON')
  .run<{ age?: string; json?: boolean }>(async ({ age, json }, { makeLine }) => {
    const { batchBar } = await import('../core/batch-progress.ts')
    const { onDatabase } = await import('../migrate/on-database.ts')
    const { compareWithPolicy, deleteExpired, findExpired, readRules } = await import('../operate/retention/retention.ts')
    const rules = readRules(age)
    const print = (text: string) => void (json || process.stdout.write(text))
    const abort = new AbortController()
    const stop = () => abort.abort()
    return onDatabase(rules.map(({ table }) => table), async (client, { label, database }) => {
      const isToDelete = isConfirmed(database)
      const found = await findExpired(client, rules)
      const { unlisted } = await compareWithPolicy(client)
      print(`${label}\n${found.map(line).join('')}`)
      for (const table of unlisted) print(`  ${table}: not in scripts/operate/retention/policy.ts, so its rows are kept\n`)
      const isDue = found.some(({ expired }) => expired > 0)
      let outcome = { isDone: true, deleted: new Map<string, number>() }
      if (isDue && isToDelete) {
        process.once('SIGINT', stop).once('SIGTERM', stop)
        const bar = batchBar()
        outcome = await deleteExpired(client, found, { signal: abort.signal, report: bar.report }).finally(bar.stop)
        for (const [table, count] of outcome.deleted) print(`  ${table}: ${count} rows deleted\n`)
      }
      if (!isDue) print('no row is due\n')
      else if (!isToDelete) print(previewLine(makeLine({ CONFIRM: database })))
      else if (!outcome.isDone) print('stopped; run it again to continue\n')
      if (json) {
        const tables = found.map(({ rule: { table, days }, rows, expired, oldest }) => ({
          table,
          days,
          rows,
          due: expired,
          oldest,
          deleted: outcome.deleted.get(table) ?? 0,
        }))
        const report = { database: label, is_preview: !isToDelete, is_done: outcome.isDone, tables, not_in_policy: unlisted }
        process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
      }
      return outcome.isDone ? 0 : 130
    })
  })

function line({ rule: { table, days }, rows, expired, oldest }: Expired): string {
  const since = oldest === null ? '' : `, the oldest from ${oldest}`
  return `  ${table}: ${expired} of ${rows} rows older than ${days} days${since}\n`
}
