import process from 'node:process'
import { parseArgs } from 'node:util'
import { orFailure, withClient } from '../core/connect.ts'
import { Failure, main } from '../core/failure.ts'
import { exists } from '../migrate/migrator.ts'
import { step } from '../core/progress.ts'
import { resolveTarget } from '../postgres/resolve-target.ts'
import { countUserRows, eraseUser, findRemainingReferences } from '../operate/users/erase.ts'
import type { Count, RemainingReferences } from '../operate/users/erase.ts'
import { readUserId } from '../operate/users/tables.ts'

/**
 * `make erase-user user=<uuid>`: shows what there is of a user; with CONFIRM=<uuid> erases it all, and proves that.
 * Of a user whom Supabase Auth has deleted already it only looks whether something is left.
 */
await main(async () => {
  const userId = readUserId(parseArgs({ options: { user: { type: 'string' } } }).values.user, 'erase-user')
  const target = await resolveTarget()
  return withClient(target, (client) =>
    orFailure(target, async () => {
      if (!(await exists(client, 'public.cleanup_outbox'))) {
        throw new Failure(`${target.label} is not migrated that far`, 'run `make migrate` first')
      }
      const found = await countUserRows(client, userId)
      process.stdout.write(`${target.label}: user ${userId}\n${found.counts.map(line).join('')}`)
      if (!found.exists) return prove(await findRemainingReferences(client, userId))
      if (process.env['CONFIRM']?.toLowerCase() !== userId) {
        throw new Failure(
          'this would erase the user, and everything of theirs, for good',
          `export it first (make export-user user=${userId}), then add CONFIRM=${userId}`,
        )
      }
      const retained = await step('erasing', () => eraseUser(client, userId))
      process.stdout.write(`erased; ${words(retained)}`)
    }),
  )
})

/** Of a user whom Supabase Auth has deleted, or who never was. */
function prove({ retained, unexpected }: RemainingReferences): void {
  if (unexpected.length > 0) {
    throw new Failure(
      `the user is not in auth.users, but ${unexpected.map(({ table }) => table).join(', ')} still names them`,
      'delete these rows, and in a migration give the tables a foreign key to auth.users on delete cascade',
    )
  }
  process.stdout.write(`the user is not in auth.users; ${words(retained)}`)
}

function words(retained: RemainingReferences['retained']): string {
  if (retained.length === 0) return 'no row names them\n'
  return `no row names them, but for\n${retained.map((each) => line(each).replace('\n', `, ${each.why}\n`)).join('')}`
}

function line({ table, rows }: Count): string {
  return `  ${table}: ${rows} rows\n`
}
