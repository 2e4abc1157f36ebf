import process from 'node:process'
import { parseArgs } from 'node:util'
import { batchBar } from '../core/batch-progress.ts'
import { orFailure, withClient } from '../core/connect.ts'
import { Failure, main } from '../core/failure.ts'
import { exists } from '../migrate/migrator.ts'
import { compareWithPolicy, deleteExpired, findExpired, readRules } from '../operate/retention/retention.ts'
import type { Expired } from '../operate/retention/retention.ts'
import { resolveTarget } from '../postgres/resolve-target.ts'

/**
 * `make retention`: shows what is older than the policy wants (scripts/operate/retention/policy.ts); `CONFIRM=<database>`
 * deletes it. Exits with 130 when it was stopped by Ctrl-C: what is deleted is, and the next run goes on.
 *   --age=TABLE=90d[,TABLE=7d]  other ages, for this run
 */
await main(async () => {
  const rules = readRules(readOptions().age)
  const target = await resolveTarget()
  const confirmed = process.env['CONFIRM'] ?? ''
  if (confirmed !== '' && confirmed !== target.database) {
    throw new Failure(`CONFIRM=${confirmed} is not the name of ${target.label}`, `say CONFIRM=${target.database}`)
  }
  const abort = new AbortController()
  const stop = () => abort.abort()

  return withClient(target, (client) =>
    orFailure(target, async () => {
      for (const { table } of rules) {
        if (await exists(client, table)) continue
        throw new Failure(`${target.label} has no ${table}`, 'run `make migrate` first')
      }
      const found = await findExpired(client, rules)
      process.stdout.write(`${target.label}\n${found.map(line).join('')}`)
      for (const table of (await compareWithPolicy(client)).unlisted) {
        process.stdout.write(`  ${table}: not in the policy, so nothing is deleted (scripts/operate/retention/policy.ts)\n`)
      }
      if (found.every(({ expired }) => expired === 0)) {
        process.stdout.write('nothing is due\n')
        return 0
      }
      if (confirmed === '') {
        process.stdout.write(`nothing was deleted; to delete it: make retention CONFIRM=${target.database}\n`)
        return 0
      }
      process.once('SIGINT', stop).once('SIGTERM', stop)
      const bar = batchBar()
      const options = { signal: abort.signal, report: bar.report }
      const { isDone, deleted } = await deleteExpired(client, found, options).finally(bar.stop)
      for (const [table, count] of deleted) process.stdout.write(`  ${table}: ${count} rows deleted\n`)
      if (isDone) return 0
      process.stdout.write('stopped; run it again to go on\n')
      return 130
    }),
  )
})

function readOptions(): { age?: string } {
  try {
    const { age } = parseArgs({ options: { age: { type: 'string' } } }).values
    return age === undefined ? {} : { age }
  } catch (cause) {
    throw new Failure((cause as Error).message, 'make retention age="user_activity_log=90d"', { cause })
  }
}

function line({ rule: { table, days }, rows, expired, oldest }: Expired): string {
  const since = oldest === null ? '' : `, the oldest of ${oldest}`
  return `  ${table}: ${expired} of ${rows} rows older than ${days} days${since}\n`
}
