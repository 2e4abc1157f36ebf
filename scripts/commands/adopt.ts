import { parseArgs } from 'node:util'
import { baselineVersion } from '../upgrade/adopt/baseline.ts'
import type { Difference } from '../upgrade/adopt/compare.ts'
import { adopt, type Outcome } from '../upgrade/adopt/adopt.ts'
import { main } from '../core/failure.ts'
import { resolveTarget } from '../postgres/resolve-target.ts'

const line = ({ isRefused, kind, object, expected, found, advice }: Difference): string =>
  [`${isRefused ? 'refused ' : 'accepted'}  ${kind}: ${object}: ${expected} → ${found}`, advice]
    .filter((part) => part !== undefined)
    .join(' — ')
    .replace(/\s*\n\s*/g, ' ')

const summaries: Readonly<Record<Outcome, string>> = {
  adopted: 'adopted, the differences are in dbmate.adopted_differences; next: make migrate',
  refused: 'not adopted, nothing was recorded; mend what is refused, then run it again',
  'adopted already': 'adopted already, and nothing has changed since; next: make migrate',
  drifted:
    'changed since it was adopted; undo what is listed, or adopt it anew: ' +
    'begin; drop table dbmate.adopted_differences; ' +
    `delete from dbmate.schema_migrations where version = '${baselineVersion}'; commit;`,
  migrated: 'adopted already, and migrated since; make verify compares it from here on',
  'not adopted': 'the baseline was applied by make migrate: there is nothing to adopt',
}

/**
 * `--time-zone=Europe/Berlin` answers which zone times without one are in; a database in UTC needs no answer.
 * Exits with 0 when the database is adopted, now or before, and with 1 when something is refused.
 */
await main(async () => {
  const { values } = parseArgs({ options: { 'dry-run': { type: 'boolean', default: false }, 'time-zone': { type: 'string' } } })
  const { 'dry-run': dryRun, 'time-zone': timeZone } = values
  const target = await resolveTarget()
  const { outcome, differences } = await adopt(target, { dryRun, say: console.log, ...(timeZone === undefined ? {} : { timeZone }) })
  for (const difference of differences) console.log(line(difference))
  const summary = dryRun && outcome === 'adopted' ? 'can be adopted: run it without dry=1' : summaries[outcome]
  console.log(`${target.label}: ${summary}`)
  return outcome === 'refused' || outcome === 'drifted' ? 1 : 0
})
