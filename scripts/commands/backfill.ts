import { readFile } from 'node:fs/promises'
import process from 'node:process'
import { parseArgs } from 'node:util'
import type pg from 'pg'
import { backfill } from '../upgrade/backfill.ts'
import { batchBar } from '../core/batch-progress.ts'
import { withClient } from '../core/connect.ts'
import { Failure, main } from '../core/failure.ts'
import { resolveTarget } from '../postgres/resolve-target.ts'

/**
 * `make backfill`, between expand and contract. Exits with 130 when it was stopped by Ctrl-C: what was done is done, and
 * the next run goes on.
 *   --owners=FILE          whose the app ids are that several users claim: a line `app_id,user_id` each
 *   --stale-after=INTERVAL pause or fail generations that no worker has been heard of for so long
 *   --old-writers=gone     the last run, and the operator's word that lets `make migrate` go on
 */
await main(async () => {
  const { owners, oldWriters, staleAfter } = options()
  const target = await resolveTarget()
  const abort = new AbortController()
  const stop = () => abort.abort()
  process.once('SIGINT', stop).once('SIGTERM', stop)

  return withClient(target, async (client) => {
    await requireExpand(client, target.label)
    if (owners !== undefined) await answerOwners(client, owners)
    const bar = batchBar()
    const isDone = await backfill(client, {
      signal: abort.signal,
      report: bar.report,
      isLast: oldWriters,
      ...(staleAfter === undefined ? {} : { staleAfter }),
    })
    bar.stop()
    if (!isDone) {
      process.stdout.write('stopped; run make backfill again to go on\n')
      return 130
    }
    if (oldWriters) {
      await client.query(
        `insert into private.upgrade_progress (phase, is_finished) values ('old_writers_gone', true) on conflict do nothing`,
      )
    }
    await report(client, target.label, oldWriters)
    return 0
  })
})

function options(): { owners: string | undefined; staleAfter: string | undefined; oldWriters: boolean } {
  try {
    const { values } = parseArgs({
      options: { owners: { type: 'string' }, 'stale-after': { type: 'string' }, 'old-writers': { type: 'string' } },
    })
    if (values['old-writers'] !== undefined && values['old-writers'] !== 'gone') {
      throw new Error(`--old-writers takes only gone, not ${values['old-writers']}`)
    }
    return { owners: values.owners, staleAfter: values['stale-after'], oldWriters: values['old-writers'] === 'gone' }
  } catch (cause) {
    throw new Failure((cause as Error).message, 'see the head of scripts/commands/backfill.ts for the options', { cause })
  }
}

async function requireExpand(client: pg.Client, label: string): Promise<void> {
  const { rows } = await client.query<{ ready: boolean }>(
    `select to_regprocedure('private.backfill_snapshots(integer)') is not null as ready`,
  )
  if (!rows[0]?.ready) throw new Failure(`${label} is not expanded yet`, 'run make migrate first')
}

/** All lines or none; an answer for an app id that is not contested, or for a user who does not exist, is refused. */
async function answerOwners(client: pg.Client, file: string): Promise<void> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new Failure(`${file} cannot be read`, 'name the file with the owners', { cause })
  })
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.startsWith('#'))
  await client.query('begin')
  try {
    await client.query('select private.backfill_contested()')
    for (const line of lines) {
      const [appId, userId] = line.split(',').map((part) => part.trim())
      const { rowCount } = await client.query('update private.upgrade_owners set user_id = $2 where app_id = $1', [appId, userId])
      if (rowCount === 0) throw new Failure(`${file}: nobody contests the app ${appId}`, 'correct the line; nothing was recorded')
    }
    await client.query('commit')
  } catch (cause) {
    await client.query('rollback')
    if (cause instanceof Failure) throw cause
    throw new Failure(`${file}: ${(cause as Error).message}`, 'write a line app_id,user_id each; nothing was recorded', { cause })
  }
}

async function report(client: pg.Client, label: string, oldWriters: boolean): Promise<void> {
  const { rows } = await client.query<{ apps: string; mended: string; quarantined: string; contested: string }>(`
    select (select count(*) from public.apps) as apps,
           (select count(*) from private.migration_log) as mended,
           (select count(*) from private.quarantine) as quarantined,
           (select count(*) from private.upgrade_owners where user_id is null) as contested`)
  const { apps, mended, quarantined, contested } = rows[0]!
  const next = oldWriters
    ? 'next: make migrate'
    : 'next: stop the old writers, then make backfill old_writers=gone, then make migrate'
  process.stdout.write(
    `${label}: ${apps} apps, ${mended} values mended (private.migration_log), ` +
      `${quarantined} rows in quarantine (private.quarantine)` +
      `${contested === '0' ? '' : `, ${contested} app ids without an owner (--owners)`}\n${next}\n`,
  )
}
