import type pg from 'pg'
import { orFailure, withClient } from '../../core/connect.ts'
import type { Target } from '../../core/target.ts'
import { refusePooler } from '../../core/refuse-pooler.ts'
import { status } from '../../migrate/migrator.ts'
import type { VerifyFinding } from './finding.ts'
import { examineMigrations } from './migrations.ts'
import { examineSchemaOrSay, type SchemaOptions } from './schema.ts'

/** An additional examination, read only. @param client has no open transaction, before and after. */
export type Examination = (client: pg.Client) => Promise<readonly VerifyFinding[]>

export interface VerifyOptions extends SchemaOptions {
  readonly examinations?: readonly Examination[]
}

/**
 * Verifies that the state of a database matches its migrations. Errors come last in the list, next to the summary. While
 * migrations are pending, only the first of them is reported, because the schema is not comparable yet.
 *
 * Read only. Starts an embedded PostgreSQL for a few seconds, to compare the schema with.
 * @throws Failure if the database cannot be reached, or only through a transaction pooler.
 */
export async function verify(target: Target, options: VerifyOptions = {}): Promise<VerifyFinding[]> {
  refusePooler(target)
  return withClient(target, (client) =>
    orFailure(target, async () => {
      const history = examineMigrations(await status(target))
      const [first, ...others] = history.filter(({ code }) => /^migration_(pending|out_of_order)$/.test(code))
      if (first) {
        const more = others.length === 0 ? '' : `, and ${others.length} more`
        return [{ ...first, what: `${first.what}${more}: the schema cannot be compared until then` }]
      }
      const found = [...history, ...(await examineSchemaOrSay(client, target, options))]
      for (const examine of options.examinations ?? []) found.push(...(await examine(client)))
      return found.sort((a, b) => Number(b.isKnown) - Number(a.isKnown))
    }),
  )
}
