import { readFile } from 'node:fs/promises'
import process from 'node:process'
import type pg from 'pg'
import { LeoCommand, Option } from '../core/command.ts'
import { Failure } from '../core/failure.ts'
import type { Target } from '../core/target.ts'

interface Options {
  readonly owners?: string
  readonly staleAfter?: string
  readonly oldWriters?: 'gone'
}

export const command = new LeoCommand({
  name: 'backfill',
  summary: 'Between expand and contract: migrate the rows of the previous schema',
  example: 'backfill owners=owners.csv',
  exits: { 130: 'stopped; the next run continues' },
  reads: ['DATABASE_URL'],
})
  .option('--owners <path>', 'the owner of each app id that several users claim: lines app_id,user_id')
  .option('--stale-after <interval>', 'pause or fail generations without activity for this long, such as "2 days"')
  .addOption(
    new Option('--old-writers <gone>', 'the last run: confirms that the writers of the previous schema are stopped').choices(['gone']),
  )
  .run<Options>(async ({ owners, staleAfter, oldWriters }) => {
    const { batchBar } = await import('../core/batch-progress.ts')
    const { exists } = await import('../migrate/migrator.ts')
    const { onDatabase } = await import('../migrate/on-database.ts')
    const { backfill } = await import('../upgrade/backfill.ts')
    const abort = new AbortController()
    const stop = () => abort.abort()
    process.once('SIGINT', stop).once('SIGTERM', stop)

    const work = async (client: pg.Client, { label }: Target): Promise<number> => {
      if (!(await exists(client, 'private.upgrade_progress'))) {
        throw new Failure(`${label} has no tables of the backfill`, 'run `make migrate` first')
      }
      if (await isContracted(client)) {
        process.stdout.write(`${label}: all rows are migrated, no backfill is needed\n`)
        return 0
      }
      await requireExpand(client, label)
      if (owners !== undefined) await recordOwners(client, owners)
      const bar = batchBar()
      const isDone = await backfill(client, {
        signal: abort.signal,
        report: bar.report,
        isLast: oldWriters === 'gone',
        ...(staleAfter === undefined ? {} : { staleAfter }),
      }).finally(bar.stop)
      if (!isDone) {
        process.stdout.write('stopped; run make backfill again to continue\n')
        return 130
      }
      if (oldWriters === 'gone') {
        await client.query(
          `insert into private.upgrade_progress (phase, is_finished) values ('old_writers_gone', true) on conflict do nothing`,
        )
      }
      await report(client, label, oldWriters === 'gone')
      return 0
    }
    return onDatabase([], work, { isDirect: true })
  })

async function isContracted(client: pg.Client): Promise<boolean> {
  const { finishVersion } = await import('../upgrade/steps.ts')
  const { rowCount } = await client.query('select from dbmate.schema_migrations where version = $1', [finishVersion])
  return rowCount === 1
}

async function requireExpand(client: pg.Client, label: string): Promise<void> {
  const { rows } = await client.query<{ ready: boolean }>(
    `select to_regprocedure('private.backfill_snapshots(integer)') is not null as ready`,
  )
  if (!rows[0]?.ready) throw new Failure(`${label} is not expanded yet`, 'run `make migrate` first')
}

/** Records all lines or none. Refuses a line whose app id is not contested or whose user does not exist. */
async function recordOwners(client: pg.Client, file: string): Promise<void> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new Failure(`${file} cannot be read`, 'name the file with the owners', { cause })
  })
  const lines = text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .map((line) => line.split(',').map((part) => part.trim()))
    .filter(([first = '', ...rest]) => !first.startsWith('#') && (first !== '' || rest.length > 0))
  if (lines[0]?.join(',').toLowerCase() === 'app_id,user_id') lines.shift()
  await client.query('begin')
  try {
    await client.query('select private.backfill_contested()')
    for (const [appId, userId] of lines) {
      const { rowCount } = await client.query('update private.upgrade_owners set user_id = $2 where app_id = $1', [appId, userId])
      if (rowCount === 0) {
        throw new Failure(`${file}: the app id ${appId} is claimed by one user only`, 'correct the line; no line was recorded')
      }
    }
    await client.query('commit')
  } catch (cause) {
    await client.query('rollback')
    if (cause instanceof Failure || /^25/.test((cause as pg.DatabaseError).code ?? '')) throw cause
    throw new Failure(`${file}: ${(cause as Error).message}`, 'write lines app_id,user_id; no line was recorded', { cause })
  }
}

async function report(client: pg.Client, label: string, isLast: boolean): Promise<void> {
  const { rows } = await client.query<{ apps: string; changed: string; quarantined: string; contested: string }>(`
    select (select count(*) from public.apps) as apps,
           (select count(*) from private.migration_log) as changed,
           (select count(*) from private.quarantine) as quarantined,
           (select count(*) from private.upgrade_owners where user_id is null) as contested`)
  const { apps, changed, quarantined, contested } = rows[0]!
  const next = isLast
    ? 'next: make migrate'
    : 'next: stop the writers of the previous schema, then make backfill old_writers=gone, then make migrate'
  process.stdout.write(
    `${label}: ${apps} apps, ${changed} values repaired (private.migration_log), ` +
      `${quarantined} rows in quarantine (private.quarantine)` +
      `${contested === '0' ? '' : `, ${contested} app ids without an owner (owners=<file>)`}\n${next}\n`,
  )
}
