import { mkdir, writeFile } from 'node:fs/promises'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import type pg from 'pg'
import { connect, orFailure, withClient } from '../core/connect.ts'
import { parseDatabaseUrl, targetFromEnvironment } from '../core/target.ts'
import type { Target } from '../core/target.ts'
import { migrate, requireUtf8 } from '../migrate/migrator.ts'
import { fromRoot } from '../core/paths.ts'
import { seconds, step } from '../core/progress.ts'
import { loadSamples } from './sample/sample.ts'
import { startDevServer, superuser } from '../postgres/server.ts'
import { createSupabaseDatabase, createSupabaseRoles, ensureSupabase } from '../postgres/supabase.ts'
import { devDatabase } from '../postgres/resolve-target.ts'

/** `make up`: a migrated database, on this machine with sample data. Can be repeated. */
export async function up(): Promise<void> {
  const started = performance.now()
  const named = targetFromEnvironment()
  const target = named ?? (await startEmbedded())
  if (named) await step(`using ${named.label}`, () => alone(named, (client) => prepare(client, named)))

  const { applied } = await step(
    'applying migrations',
    (say) => migrate(target, { say }),
    ({ applied }) => (applied.length === 0 ? 'migrations: nothing to apply' : `migrations: ${applied.length} applied`),
  )
  const client = await connect(target)
  try {
    if (target.isLocal) {
      // The samples are sealed with the development key.
      process.env['NODE_ENV'] = 'development'
      await step(
        'loading sample data',
        (say) => orFailure(target, () => loadSamples(client, say)),
        (loaded) => (loaded ? 'sample data loaded' : 'sample data: not loaded, the database has data'),
      )
    } else {
      process.stderr.write(`- no sample data: ${target.host} is not this machine\n`)
    }
    await orFailure(target, () => report(client, target, named === undefined))
  } finally {
    await client.end()
  }
  process.stderr.write(`\nup in ${seconds(performance.now() - started)}, ${applied.length} migrations applied\n`)
}

async function prepare(client: pg.Client, target: Target): Promise<void> {
  await requireUtf8(target, client)
  await ensureSupabase(client, target)
}

async function startEmbedded(): Promise<Target> {
  const { server } = await step('starting PostgreSQL', startDevServer, ({ server, created, started }) => {
    const what = created ? 'made and started' : started ? 'started' : 'running'
    return `PostgreSQL ${server.major} ${what} on port ${server.port}, data in ${server.folder}`
  })
  const admin = parseDatabaseUrl(server.url('postgres', superuser))
  await alone(admin, async (client) => {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [devDatabase])
    if (rowCount === 0) await createSupabaseRoles(admin)
    await createSupabaseDatabase(admin, devDatabase)
  })
  const url = server.url(devDatabase)
  // For dbmate and other tools by hand: `dbmate --env-file .local/env --env-file .dbmate.env status`.
  await mkdir(fromRoot('.local'), { recursive: true })
  await writeFile(fromRoot('.local', 'env'), `DATABASE_URL=${url}\n`, { mode: 0o600 })
  return parseDatabaseUrl(url)
}

/** Two first runs at once take turns. The lock goes with the connection. */
async function alone<T>(target: Target, work: (client: pg.Client) => Promise<T>): Promise<T> {
  return withClient(target, (client) =>
    orFailure(target, async () => {
      await client.query(`select pg_advisory_lock(hashtext('leo-saas-schema up'))`)
      return work(client)
    }),
  )
}

async function report(client: pg.Client, target: Target, embedded: boolean): Promise<void> {
  const tables = await client.query<{ name: string }>(`
    select relname as name from pg_class
    where relnamespace = 'public'::regnamespace and relkind = 'r'
    order by relname collate "C"`)
  const rows: { name: string; rows: string }[] = []
  for (const { name } of tables.rows) {
    const counted = await client.query<{ n: string }>(`select count(*) as n from public.${client.escapeIdentifier(name)}`)
    rows.push({ name, rows: counted.rows[0]?.n ?? '0' })
  }
  const width = Math.max(...rows.map((row) => row.name.length))
  const out = [
    '',
    'tables',
    ...rows.map((row) => `  ${row.name.padEnd(width)}  ${row.rows.padStart(6)} rows`),
    '',
    embedded ? `DATABASE_URL=${target.dbmateUrl}` : `database  ${target.label}`,
    '',
    'next:  make test     run the core tests and those that your changes affect',
    '       make status   which migrations are applied',
    '       make help     all commands',
    '',
  ]
  process.stdout.write(`${out.join('\n')}\n`)
}
