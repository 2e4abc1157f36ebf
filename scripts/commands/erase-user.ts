import process from 'node:process'
import { LeoCommand } from '../core/command.ts'
import { isConfirmed, previewLine } from '../core/confirm.ts'
import { Failure } from '../core/failure.ts'
import type { Count, RemainingReferences } from '../operate/users/erase.ts'

export const command = new LeoCommand({
  name: 'erase-user',
  summary: 'Show all data of a user; with CONFIRM erase it, and verify that no row is left',
  example: 'erase-user email=ada@example.com',
  reads: ['DATABASE_URL', 'CONFIRM'],
})
  .option('--user <uuid>', 'the id of the user, also after Supabase Auth has deleted the user')
  .option('--email <address>', 'or the e-mail address, in any case')
  .run<{ user?: string; email?: string }>(async ({ user, email }, { makeLine }) => {
    const { step } = await import('../core/progress.ts')
    const { onDatabase } = await import('../migrate/on-database.ts')
    const { eraseUser, countUserRows, findRemainingReferences } = await import('../operate/users/erase.ts')
    const { findUserId, readUser } = await import('../operate/users/find.ts')
    const selector = readUser({ user, email }, 'erase-user')
    await onDatabase(['public.cleanup_outbox'], async (client, { label }) => {
      const userId = await findUserId(client, selector)
      const isToErase = isConfirmed(userId)
      const found = await countUserRows(client, userId)
      process.stdout.write(`${label}: user ${userId}\n${found.counts.map(line).join('')}`)
      if (!found.exists) return reportRemaining(await findRemainingReferences(client, userId))
      if (!isToErase) {
        process.stdout.write(
          `all data of the user would be deleted permanently; make export-user user=${userId} writes it to a file\n` +
            previewLine(makeLine({ user: userId, email: undefined, CONFIRM: userId })),
        )
        return
      }
      const retained = await step('erasing', () => eraseUser(client, userId))
      process.stdout.write(`erased; ${formatRetained(retained)}`)
    })
  })

/** For a user who is not in auth.users: deleted by Supabase Auth, or never created. */
function reportRemaining({ retained, unexpected }: RemainingReferences): void {
  if (unexpected.length > 0) {
    throw new Failure(
      `the user is not in auth.users, but ${unexpected.map(({ table }) => table).join(', ')} still references the user`,
      'delete these rows, and in a migration give the tables a foreign key to auth.users on delete cascade',
    )
  }
  process.stdout.write(`the user is not in auth.users; ${formatRetained(retained)}`)
}

function formatRetained(retained: RemainingReferences['retained']): string {
  if (retained.length === 0) return 'no row references the user\n'
  return `the only rows that reference the user:\n${retained.map((each) => line(each).replace('\n', `, ${each.why}\n`)).join('')}`
}

function line({ table, rows }: Count): string {
  return `  ${table}: ${rows} rows\n`
}
