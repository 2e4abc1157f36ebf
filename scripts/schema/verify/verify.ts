import type pg from 'pg'
import { orFailure, withClient } from '../../core/connect.ts'
import type { Target } from '../../core/target.ts'
import { refusePooler } from '../../core/refuse-pooler.ts'
import { openPatient } from '../../operate/doctor/context.ts'
import { examineMigrations } from '../../operate/doctor/schema.ts'
import { examineBooks } from '../../upgrade/books.ts'
import type { VerifyFinding } from './finding.ts'
import { asFinding, examineSchema } from './schema.ts'

export interface VerifyOptions {
  /** To read all of what is read in samples otherwise. */
  readonly deep?: boolean
  /** Hears how many snapshots' files have been read. */
  readonly report?: (read: number) => void
}

/** @param client idle, with no transaction open; left so. */
type Examination = (client: pg.Client, target: Target, options: VerifyOptions) => Promise<VerifyFinding[]>

/** Adding an examination is adding an entry. None of them changes anything. */
const examinations: readonly Examination[] = [examineSchema, (client, _, options) => examineBooks(client, options)]

/**
 * Whether a database is, after all its migrations, what it should be; what is wrong comes last, where the eye is. While
 * some are to come only they are named: the rest is not yet as it will be.
 *
 * Changes nothing, and holds ACCESS SHARE on every table of our schemas for about a second, as any dump does.
 * @throws Failure when the database cannot be reached, or only through a transaction pooler.
 */
export async function verify(target: Target, options: VerifyOptions = {}): Promise<VerifyFinding[]> {
  refusePooler(target)
  return withClient(target, (client) =>
    orFailure(target, async () => {
      const { findings } = await examineMigrations(await openPatient(client, target))
      const history = findings.map(asFinding)
      const [first, ...others] = history.filter(({ code }) => /^migration_(pending|out_of_order)$/.test(code))
      if (first) {
        const more = others.length === 0 ? '' : `, and ${others.length} more`
        return [{ ...first, what: `${first.what}${more}: until then nothing can be compared` }]
      }
      const found = history
      for (const examine of examinations) found.push(...(await examine(client, target, options)))
      return found.sort((a, b) => Number(b.isKnown) - Number(a.isKnown))
    }),
  )
}
