import process from 'node:process'
import { LeoCommand } from '../core/command.ts'

export const command = new LeoCommand({
  name: 'export-user',
  summary: 'Write all data of one user to a file',
  example: 'export-user email=ada@example.com',
  reads: ['DATABASE_URL'],
})
  .option('--user <uuid>', 'the id of the user')
  .option('--email <address>', 'or the e-mail address, in any case')
  .option('--file <path>', 'a file that does not exist yet; default: export-<uuid>.jsonl')
  .run<{ user?: string; email?: string; file?: string }>(async ({ user, email, file: named }) => {
    const { step } = await import('../core/progress.ts')
    const { onDatabase } = await import('../migrate/on-database.ts')
    const { exportUser } = await import('../operate/users/export.ts')
    const { writeFileAtomically } = await import('../operate/users/atomic-file.ts')
    const { findUserId, readUser } = await import('../operate/users/find.ts')
    const selector = readUser({ user, email }, 'export-user')
    const [file, { rows }] = await onDatabase(['public.cleanup_outbox'], async (client) => {
      const userId = await findUserId(client, selector)
      const file = named ?? `export-${userId}.jsonl`
      const result = await step('exporting', (say) =>
        writeFileAtomically(file, (out, signal) =>
          exportUser(client, userId, out, { signal, report: (table, count) => say(`${table}, ${count} rows`) }),
        ),
      )
      return [file, result] as const
    })
    const counts = Object.entries(rows).filter(([, count]) => count > 0)
    process.stdout.write(`${file}\n${counts.map(([table, count]) => `  ${table}: ${count} rows\n`).join('')}`)
  })
