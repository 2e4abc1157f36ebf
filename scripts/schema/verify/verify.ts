import type pg from 'pg'
import { orFailure, withClient } from '../../core/connect.ts'
import type { Target } from '../../core/target.ts'
import { refusePooler } from '../../core/refuse-pooler.ts'
import { status } from '../../migrate/migrator.ts'
import type { VerifyFinding } from './finding.ts'
import { examineMigrations } from './migrations.ts'
import { examineSchemaOrSay, type SchemaOptions } from './schema.ts'

/** A further examination. @param client idle, with no transaction open; left so. Changes nothing. */
export type Examination = (client: pg.Client) => Promise<readonly VerifyFinding[]>

export interface VerifyOptions extends SchemaOptions {
  readonly examinations?: readonly Examination[]
}

/**
 * Whether a database is, after all its migrations, what it should be. Errors come last in the list, next to the summary.
 * While migrations are pending only the first of these is reported: the schema is not comparable yet.
 *
 * Changes nothing. Needs an embedded PostgreSQL for a few seconds, to which the schema is compared.
 * @throws Failure when the database cannot be reached, or only through a transaction pooler.
 */
export async function verify(target: Target, options: VerifyOptions = {}): Promise<VerifyFinding[]> {
  refusePooler(target)
  return withClient(target, (client) =>
    orFailure(target, async () => {
      const history = examineMigrations(await status(target))
      const [first, ...others] = history.filter(({ code }) => /^migration_(pending|out_of_order)$/.test(code))
      if (first) {
        const more = others.length === 0 ? '' : `, and ${others.length} more`
        return [{ ...first, what: `${first.what}${more}: until then nothing can be compared` }]
      }
      const found = [...history, ...(await examineSchemaOrSay(client, target, options))]
      for (const examine of options.examinations ?? []) found.push(...(await examine(client)))
      return found.sort((a, b) => Number(b.isKnown) - Number(a.isKnown))
    }),
  )
}
