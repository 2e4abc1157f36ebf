import { readFile } from 'node:fs/promises'
import process from 'node:process'
import { parseArgs } from 'node:util'
import cliProgress from 'cli-progress'
import type pg from 'pg'
import { backfill } from './lib/backfill.ts'
import type { Phase, Progress } from './lib/backfill.ts'
import { withClient } from './lib/connect.ts'
import { Failure, main } from './lib/failure.ts'
import { resolveTarget } from './lib/target.ts'

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
    const bar = progressBar()
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
    throw new Failure((cause as Error).message, 'see the head of scripts/backfill.ts for the options', { cause })
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

/** A bar a phase on a terminal; elsewhere a line every ten seconds. */
function progressBar(): { report: (progress: Progress) => void; stop: () => void } {
  if (process.stderr.isTTY && process.stderr.columns > 0) {
    const bars = new cliProgress.MultiBar(
      { format: '{phase} [{bar}] {value}/{total}, {rate}/s, {eta_formatted} left, batches of {batch}{pause}', hideCursor: true },
      cliProgress.Presets.legacy,
    )
    const ofPhase = new Map<Phase, { bar: cliProgress.SingleBar; started: number }>()
    return {
      report: ({ phase, done, total, batch, pause }) => {
        const started = ofPhase.get(phase)?.started ?? Date.now()
        const rate = Math.round((done * 1000) / Math.max(1, Date.now() - started))
        const payload = { phase: phase.padEnd(9), batch, rate, pause: pause === undefined ? '' : `, paused: ${pause}` }
        const bar = ofPhase.get(phase)?.bar ?? bars.create(total, 0, payload)
        ofPhase.set(phase, { bar, started })
        bar.setTotal(Math.max(total, done))
        bar.update(done, payload)
      },
      stop: () => bars.stop(),
    }
  }
  let next = Date.now() + 10_000
  return {
    report: ({ phase, done, total, batch, pause }) => {
      if (Date.now() < next) return
      next = Date.now() + 10_000
      const why = pause === undefined ? '' : `, paused: ${pause}`
      process.stderr.write(`${phase}: ${done} of about ${total}, batches of ${batch}${why}\n`)
    },
    stop: () => undefined,
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
