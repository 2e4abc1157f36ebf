import process from 'node:process'
import { LeoCommand } from '../core/command.ts'
import type { Outcome } from '../upgrade/adopt/adopt.ts'
import type { Difference } from '../upgrade/adopt/compare.ts'

export const command = new LeoCommand({
  name: 'adopt',
  summary: "Compare a live database's tables with the baseline and record it as applied",
  example: 'adopt dry=1 time_zone=Europe/Berlin',
  exits: { 0: 'adopted, by this run or an earlier one', 1: 'a difference is refused, or an error' },
  reads: ['DATABASE_URL'],
})
  .flag('dry', 'compare only')
  .option('--time-zone <name>', 'the time zone of columns without one; required unless the server is in UTC')
  .run<{ dry?: boolean; timeZone?: string }>(async ({ dry = false, timeZone }) => {
    const { orFailure, withClient } = await import('../core/connect.ts')
    const { requireUtf8 } = await import('../migrate/migrator.ts')
    const { resolveTarget } = await import('../postgres/resolve-target.ts')
    const { adopt } = await import('../upgrade/adopt/adopt.ts')
    const { examineZone } = await import('../upgrade/preflight/live-state.ts')
    const { baselineVersion } = await import('../upgrade/adopt/baseline.ts')
    const target = await resolveTarget()
    await withClient(target, (client) => orFailure(target, () => requireUtf8(target, client)))
    const options = { dryRun: dry, say: console.log, ...(timeZone === undefined ? {} : { timeZone }) }
    const { outcome, differences } = await adopt(target, options)
    const summary = dry && outcome === 'adopted' ? 'can be adopted: run it without dry=1' : summaries(baselineVersion)[outcome]
    process.stdout.write([...differences.map(line), `${target.label}: ${summary}`, ''].join('\n'))
    const isAdopted = outcome === 'adopted' || outcome === 'adopted already'
    if (isAdopted && timeZone === undefined) {
      const { server, isUtc, answer, naive } = await withClient(target, (client) => orFailure(target, () => examineZone(client)))
      if (naive.length > 0 && !isUtc && answer === undefined) {
        const missing = `the server is in ${server}; before make migrate, name the time zone of columns without one`
        process.stdout.write(`${missing}: make adopt time_zone=${server} (or UTC)\n`)
      }
    }
    return outcome === 'refused' || outcome === 'drifted' ? 1 : 0
  })

const line = ({ isRefused, kind, object, expected, found, advice }: Difference): string =>
  [`${isRefused ? 'refused ' : 'accepted'}  ${kind}: ${object}: ${expected} → ${found}`, advice]
    .filter((part) => part !== undefined)
    .join(' — ')
    .replace(/\s*\n\s*/g, ' ')

const summaries = (baselineVersion: string): Readonly<Record<Outcome, string>> => ({
  adopted: 'adopted, the differences are in dbmate.adopted_differences; next: make migrate',
  refused: 'not adopted, nothing was recorded; repair what is refused, then run it again',
  'adopted already': 'adopted already, and nothing has changed since; next: make migrate',
  drifted:
    'changed since it was adopted; undo what is listed, or adopt it again: ' +
    'begin; drop table dbmate.adopted_differences; ' +
    `delete from dbmate.schema_migrations where version = '${baselineVersion}'; commit;`,
  migrated: 'adopted already, and migrated since; make verify compares it from here on',
  'not adopted': 'the baseline was applied by make migrate: no adoption is needed',
})
