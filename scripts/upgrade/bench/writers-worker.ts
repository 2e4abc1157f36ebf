import { setTimeout as sleep } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import pg from 'pg'
import type { Style, WriterJob, WritersReport } from './writers.ts'

/*
 * The service's writers, in a separate thread, so that work of the main thread does not add to the measured latency. Half
 * of the updates go to rows near the position of the backfill.
 */

const { config, connections, style, requests, snapshots } = workerData as WriterJob

const at: number[] = []
const took: number[] = []
const report: WritersReport = { errors: [], requestIds: [], snapshotIds: [], samples: { at, took } }
/** The id that the backfill has reached; undefined while it does not process this table. */
const position: Record<'requests' | 'snapshots', number | undefined> = { requests: undefined, snapshots: undefined }
let isStopped = false
parentPort!.on('message', () => (isStopped = true))

function randomBelow(count: number): number {
  return Math.floor(Math.random() * count)
}

function near(table: 'requests' | 'snapshots', rows: number): number {
  const from = Math.random() < 0.5 ? position[table] : undefined
  return from === undefined ? 1 + randomBelow(rows) : from + 1 + randomBelow(1000)
}

interface App {
  readonly user_id: string
  readonly app_id: string
}

const watcher = new pg.Client(config)
await watcher.connect()
const apps = await readApps(style)
parentPort!.postMessage('ready')
await Promise.all([watch(), ...Array.from({ length: connections }, () => write(style))])
await watcher.end()
parentPort!.postMessage(report)
parentPort!.close()

async function readApps(style: Style): Promise<App[]> {
  const { rows } = await watcher.query<App>(
    style === 'old'
      ? 'select user_id, app_id from public.generation_requests where id % 100 = 0 and app_id is not null and user_id is not null'
      : 'select user_id, id as app_id from public.apps order by id limit 1000',
  )
  return rows
}

async function watch(): Promise<void> {
  for (; !isStopped; await sleep(10)) {
    const { rows } = await watcher
      .query<{ phase: 'requests' | 'snapshots'; position: string | null }>('select phase, position from private.upgrade_progress')
      .catch(() => ({ rows: [] }))
    for (const { phase, position: last } of rows) {
      if (phase in position) position[phase] = last === null ? undefined : Number(last)
    }
  }
}

async function write(style: Style): Promise<void> {
  const client = new pg.Client(config)
  await client.connect()
  await client.query('set role service_role')
  const timed = async <T extends pg.QueryResultRow>(text: string, values: unknown[]): Promise<T[]> => {
    const started = performance.now()
    try {
      return (await client.query<T>(text, values)).rows
    } catch (error) {
      const { code, message } = error as pg.DatabaseError
      report.errors.push(`${code}: ${message}: ${text.slice(0, 60)}`)
      return []
    } finally {
      at.push(Date.now())
      took.push(performance.now() - started)
    }
  }
  for (; !isStopped; await sleep(randomBelow(20))) await (style === 'old' ? oldWrite(timed) : newWrite(timed))
  await client.end()
}

type Timed = <T extends pg.QueryResultRow>(text: string, values: unknown[]) => Promise<T[]>

function addIds(ids: number[], rows: Array<{ id: number }>): void {
  for (const { id } of rows) ids.push(id)
}

async function oldWrite(timed: Timed): Promise<void> {
  const app = apps[randomBelow(apps.length)]!
  const random = Math.random()
  if (random < 0.3) {
    // An existing app, a new app id, or no app id.
    const rows = await timed<{ id: number }>(
      `insert into public.generation_requests (app_id, user_id, app_name, prompt, status, generation_type, mode,
         max_iterations, current_iteration, created_at, updated_at)
       values (case when $3 < 0.5 then $1::uuid when $3 < 0.8 then gen_random_uuid() end, $2, 'Written ' || round($3::numeric, 2),
         'written during the upgrade', 'generating', 'new', 'autonomous', 10, 1, now(), now()) returning id`,
      [app.app_id, app.user_id, Math.random()],
    )
    addIds(report.requestIds, rows)
  } else if (random < 0.55) {
    await timed(`update public.generation_requests set last_session_id = 'written', updated_at = now() where id = $1`, [
      near('requests', requests),
    ])
  } else if (random < 0.8 && report.requestIds.length > 0) {
    const id = report.requestIds[randomBelow(report.requestIds.length)]
    const rows = await timed<{ id: number }>(
      `with request as (
         update public.generation_requests set current_iteration = 2, updated_at = now() where id = $1 returning id
       )
       insert into public.iteration_snapshots (generation_request_id, iteration_number, snapshot_type, files_snapshot,
         prompt_used, "timestamp", metadata)
       select id, 2, 'automatic', '{"index.html":"' || gen_random_uuid() || '"}', 'written', now(), '{}' from request returning id`,
      [id],
    )
    addIds(report.snapshotIds, rows)
  } else {
    await timed(`update public.iteration_snapshots set prompt_used = 'written' where id = $1`, [near('snapshots', snapshots)])
  }
}

/** Writes like the service of the new schema: sets user_id and never updates a snapshot. */
async function newWrite(timed: Timed): Promise<void> {
  const { app_id, user_id } = apps[randomBelow(apps.length)]!
  const random = Math.random()
  if (random < 0.35) {
    const rows = await timed<{ id: number }>(
      `insert into public.generation_requests (app_id, user_id, app_name, prompt, status, generation_type, mode,
         max_iterations, current_iteration, created_at, updated_at)
       values ($1, $2, 'Written', 'written during the upgrade', 'queued', 'new', 'autonomous', 10, 0, now(), now()) returning id`,
      [app_id, user_id],
    )
    addIds(report.requestIds, rows)
  } else if (random < 0.65 || report.requestIds.length === 0) {
    await timed(`update public.generation_requests set last_session_id = 'written', updated_at = now() where id = $1`, [
      near('requests', requests),
    ])
  } else {
    const rows = await timed<{ id: number }>(
      `insert into public.iteration_snapshots (user_id, generation_request_id, iteration_number, snapshot_type, files_snapshot,
         prompt_used, "timestamp", metadata)
       select user_id, id, 1, 'automatic', '{"index.html":"' || gen_random_uuid() || '"}', 'written', now(), '{}'
       from public.generation_requests where id = $1 returning id`,
      [report.requestIds[randomBelow(report.requestIds.length)]],
    )
    addIds(report.snapshotIds, rows)
  }
}
