import process from 'node:process'
import { parseArgs } from 'node:util'
import { orFailure, withClient } from '../core/connect.ts'
import { Failure, main } from '../core/failure.ts'
import { exists } from '../migrate/migrator.ts'
import { step } from '../core/progress.ts'
import { resolveTarget } from '../postgres/resolve-target.ts'
import { exportUser } from '../operate/users/export.ts'
import { readUserId } from '../operate/users/tables.ts'
import { writeFileAtomically } from '../operate/users/atomic-file.ts'

/**
 * `make export-user user=<uuid>`: everything of one user as lines of JSON, in export-<uuid>.jsonl unless `file` names
 * another, which must not be there yet.
 */
await main(async () => {
  const { values } = parseArgs({ options: { user: { type: 'string' }, file: { type: 'string' } } })
  const userId = readUserId(values.user, 'export-user')
  const file = values.file ?? `export-${userId}.jsonl`
  const target = await resolveTarget()
  const { rows } = await withClient(target, (client) =>
    orFailure(target, async () => {
      if (!(await exists(client, 'public.cleanup_outbox'))) {
        throw new Failure(`${target.label} is not migrated that far`, 'run `make migrate` first')
      }
      return step('exporting', (say) =>
        writeFileAtomically(file, (out, signal) =>
          exportUser(client, userId, out, { signal, report: (table, count) => say(`${table}, ${count} rows`) }),
        ),
      )
    }),
  )
  const counts = Object.entries(rows).filter(([, count]) => count > 0)
  process.stdout.write(`${file}\n${counts.map(([table, count]) => `  ${table}: ${count} rows\n`).join('')}`)
})
