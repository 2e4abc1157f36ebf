import process from 'node:process'
import { parseArgs } from 'node:util'
import { withClient } from './lib/connect.ts'
import { Failure, main } from './lib/failure.ts'
import { orFailure } from './lib/migration-run.ts'
import { exists } from './lib/migrator.ts'
import { step } from './lib/progress.ts'
import { resolveTarget } from './lib/target.ts'
import { eraseUser, lookAtUser } from './lib/users/erase.ts'
import type { Count } from './lib/users/erase.ts'
import { readUserId } from './lib/users/tables.ts'

/**
 * `make erase-user user=<uuid>`: shows what there is of a user; with CONFIRM=<uuid> erases it all, and proves that.
 * Also for a user whom Supabase Auth has deleted already: then it only looks whether something is left.
 */
await main(async () => {
  const userId = readUserId(parseArgs({ options: { user: { type: 'string' } } }).values.user, 'erase-user')
  const target = await resolveTarget()
  return withClient(target, (client) =>
    orFailure(target, async () => {
      if (!(await exists(client, 'public.cleanup_outbox'))) {
        throw new Failure(`${target.label} is not migrated that far`, 'run `make migrate` first')
      }
      const found = await lookAtUser(client, userId)
      const is = found.exists ? `user ${userId}` : `user ${userId}, who is not in auth.users`
      process.stdout.write(`${target.label}: ${is}\n${found.counts.map(line).join('')}`)
      if ((found.exists || found.counts.length > 0) && process.env['CONFIRM']?.toLowerCase() !== userId) {
        throw new Failure(
          'this would erase the user, and everything of theirs, for good',
          `export it first (make export-user user=${userId}), then add CONFIRM=${userId}`,
        )
      }
      const remains = await step('erasing', () => eraseUser(client, userId))
      process.stdout.write(found.exists ? 'erased; no row names the user' : 'no row names the user')
      process.stdout.write(remains.length === 0 ? '\n' : ', but for\n')
      for (const { table, rows, why } of remains) process.stdout.write(`  ${table}: ${rows} rows, ${why}\n`)
    }),
  )
})

function line({ table, rows }: Count): string {
  return `  ${table}: ${rows} rows\n`
}
