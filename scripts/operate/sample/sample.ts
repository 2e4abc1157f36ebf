import { createHash, randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import type pg from 'pg'
import { fromRoot } from '../../core/paths.ts'
import { become } from './become.ts'
import { loadConfigChanges } from './config.ts'
import { loadCosts } from './costs.ts'
import { loadProfiles } from './profiles.ts'
import { loadSchemaSnapshots } from './schema_snapshots.ts'
import { sealSetting, sealTokens } from './seal.ts'
import { loadCleanups, loadSupabasePool } from './supabase_pool.ts'

/**
 * Sample data: three users with their apps and generations. The generated files are copies of installed packages, so
 * that sizes, paths and contents are realistic. Everything is written in one transaction with the roles that write live
 * data, so all constraints and policies apply.
 */

interface Generation {
  readonly prompt: string
  /** The share of the app's files that exist at the end. It grows with each iteration. */
  readonly share: number
  readonly iterations: number
  readonly status: 'completed' | 'failed' | 'paused' | 'generating' | 'queued' | 'cancelled'
  readonly errorMessage?: string
}

interface App {
  readonly owner: string
  readonly name: string
  /** The installed package whose files are used. */
  readonly files: string
  readonly generations: readonly Generation[]
}

const users = ['ada@example.com', 'grace@example.com', 'edsger@example.com'] as const

const apps: readonly App[] = [
  {
    owner: 'ada@example.com',
    name: 'Loading spinner',
    files: 'ora',
    generations: [
      { prompt: 'A spinner for command lines that shows the current task', share: 0.7, iterations: 4, status: 'completed' },
      { prompt: 'Hide the spinner when the output is not a terminal', share: 1, iterations: 3, status: 'completed' },
      { prompt: 'Let several spinners share one line', share: 1, iterations: 2, status: 'generating' },
    ],
  },
  {
    owner: 'ada@example.com',
    name: 'Colours',
    files: 'chalk',
    generations: [
      { prompt: 'Colour words in a terminal, if it supports colours', share: 1, iterations: 3, status: 'completed' },
      { prompt: 'Add a theme for people who mix up red and green', share: 1, iterations: 0, status: 'queued' },
    ],
  },
  {
    owner: 'grace@example.com',
    name: 'Connection pool',
    files: 'pg-pool',
    generations: [
      { prompt: 'Share ten database connections among a hundred requests', share: 0.6, iterations: 2, status: 'failed', errorMessage: 'The tests of iteration 2 did not pass: a client was released twice.' },
      { prompt: 'Share ten database connections among a hundred requests, and survive double releases', share: 1, iterations: 3, status: 'completed' },
      { prompt: 'Show how long callers wait', share: 1, iterations: 1, status: 'paused' },
    ],
  },
  {
    owner: 'grace@example.com',
    name: 'Type generator',
    files: 'kysely-codegen/dist/generator',
    generations: [{ prompt: 'Read a database and write its types', share: 1, iterations: 6, status: 'completed' }],
  },
  {
    owner: 'edsger@example.com',
    name: 'Colours',
    files: 'yoctocolors',
    generations: [
      { prompt: 'The smallest possible library for terminal colours', share: 1, iterations: 2, status: 'completed' },
      { prompt: 'A smaller one', share: 1, iterations: 0, status: 'cancelled' },
    ],
  },
]

/** Loads the samples into a database that has no data. @returns false when it has some. */
export async function loadSamples(client: pg.Client, report: (app: string) => void): Promise<boolean> {
  await client.query('begin')
  try {
    // A concurrent run waits here, and then finds the samples.
    await client.query(`select pg_advisory_xact_lock(hashtext('leo-saas-schema samples'))`)
    // Also where some of them were changed or erased: they are no longer the same samples.
    const present = await client.query<{ found: boolean }>(`
      select exists (select from auth.users) or exists (select from deployment_config) or exists (select from supabase_projects)
        or exists (select from cleanup_outbox) as found`)
    if (present.rows[0]?.found) {
      await client.query('rollback')
      return false
    }
    for (const email of users) {
      await client.query(
        `insert into auth.users (id, aud, role, email, created_at) values ($1, 'authenticated', 'authenticated', $2, now())
         on conflict (id) do nothing`,
        [userId(email), email],
      )
    }
    for (const app of apps) {
      report(app.name)
      await loadApp(client, app)
    }
    await loadPlatform(client)
    await become(client, 'none')
    await loadSupabasePool(client)
    await loadCleanups(client, userId(users[2]), await sealTokens(userId(users[2]), 'gitlab'))
    await loadCosts(client, users.map(userId))
    await loadSchemaSnapshots(client, users.map(userId))
    await loadProfiles(client, userId)
    await client.query('commit')
  } catch (error) {
    await client.query('rollback')
    throw error
  }
  return true
}

async function loadApp(client: pg.Client, app: App): Promise<void> {
  const owner = userId(app.owner)
  const tree = await readTree(app.files)

  await become(client, 'authenticated', owner)
  const { rows } = await client.query<{ id: string }>('insert into apps (user_id, app_name) values ($1, $2) returning id', [
    owner,
    app.name,
  ])
  const appId = rows[0]?.id

  for (const [index, generation] of app.generations.entries()) {
    await become(client, 'authenticated', owner)
    const request = await client.query<{ id: number }>(
      `insert into generation_requests (user_id, app_id, prompt, initial_prompt, generation_type, mode, max_iterations)
       values ($1, $2, $3, $4, $5, $6, $7) returning id`,
      [
        owner,
        appId,
        generation.prompt,
        app.generations[0]?.prompt,
        index === 0 ? 'new' : 'resume',
        index === 0 ? 'autonomous' : 'confirm_first',
        10,
      ],
    )
    await processGeneration(client, { owner, id: request.rows[0]?.id ?? 0, app, generation, tree })
  }
}

interface Job {
  readonly owner: string
  readonly id: number
  readonly app: App
  readonly generation: Generation
  readonly tree: readonly (readonly [path: string, content: string])[]
}

/** Processes a generation as a worker does, up to the status of the sample. */
async function processGeneration(client: pg.Client, { owner, id, app, generation, tree }: Job): Promise<void> {
  const { status, iterations } = generation
  if (status === 'queued') {
    // At the end of the queue, so that it is not soon reported as overdue.
    await become(client, 'service_role')
    await client.query(`update generation_requests set queue_at = now() + interval '1 day' where id = $1`, [id])
    return
  }
  if (status === 'cancelled') {
    await client.query(`update generation_requests set status = 'cancelled' where id = $1 and status = 'queued'`, [id])
    return
  }
  await become(client, 'service_role')
  await client.query(`update generation_requests set status = 'generating' where id = $1 and status = 'queued'`, [id])
  for (let iteration = 1; iteration <= iterations; iteration++) {
    const share = generation.share * (iteration / iterations)
    const files = tree.slice(0, Math.max(1, Math.round(tree.length * share)))
    await client.query(
      `insert into iteration_snapshots
         (user_id, generation_request_id, iteration_number, snapshot_type, files_snapshot, prompt_used, metadata)
       values ($1, $2, $3, $4, $5, $6, $7)`,
      [
        owner,
        id,
        iteration,
        iteration === iterations ? 'checkpoint' : 'automatic',
        JSON.stringify(Object.fromEntries(files)),
        generation.prompt,
        { tokens: 1500 * files.length, duration_ms: 20_000 + 4_000 * iteration, changed_files: files.slice(-3).map(([path]) => path) },
      ],
    )
  }
  const repository = app.name.toLowerCase().replaceAll(' ', '-')
  const isDone = status === 'completed'
  await client.query(
    `update generation_requests
     set status = $2, current_iteration = $3, error_message = $4, last_session_id = $5,
         github_url = $6, github_commit = $7, deployment_url = $8
     where id = $1 and attempt = 1`,
    [
      id,
      status,
      iterations,
      generation.errorMessage ?? null,
      randomBytes(12).toString('base64url'),
      `https://github.com/leo-samples/${repository}`,
      isDone ? createHash('sha1').update(generation.prompt).digest('hex') : null,
      isDone ? `https://${repository}.fly.dev` : null,
    ],
  )
  if (status === 'generating') {
    await become(client, 'none')
    await client.query(
      `insert into private.generation_leases (user_id, generation_request_id, attempt, worker, expires_at)
       values ($1, $2, 1, 'sample-worker', now() + interval '1 day')`,
      [owner, id],
    )
  }
}

async function loadPlatform(client: pg.Client): Promise<void> {
  await become(client, 'service_role')
  const settings = [
    ['fly.region', 'ams', 'Default region for deployments.'],
    ['generation.default_max_iterations', '10', 'Default limit of iterations.'],
    ['github.organization', 'leo-samples', 'Owner of the repositories of generations.'],
  ]
  for (const [key, value, description] of settings) {
    await client.query('insert into deployment_config (key, value, description) values ($1, $2, $3)', [key, value, description])
  }
  await client.query('insert into deployment_config (key, value, encrypted, description) values ($1, $2, true, $3)', [
    'github.app_private_key',
    await sealSetting('github.app_private_key'),
    'Signs the requests to GitHub.',
  ])
  await loadConfigChanges(client, userId(users[1]), await sealSetting('fly.api_token'))
  for (const [email, provider] of [[users[0], 'github'], [users[0], 'supabase'], [users[1], 'fly']] as const) {
    await client.query(
      `insert into user_secrets (user_id, provider, encrypted_token, expires_at) values ($1, $2, $3, now() + interval '30 days')`,
      [userId(email), provider, await sealTokens(userId(email), provider)],
    )
  }
}

/** The same id for the same address on every machine. */
function userId(email: string): string {
  const hex = createHash('sha256').update(email).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

async function readTree(folder: string): Promise<[string, string][]> {
  const top = fromRoot('node_modules', ...folder.split('/'))
  const entries = await readdir(top, { recursive: true, withFileTypes: true })
  const paths = entries
    .filter((entry) => entry.isFile() && /\.(js|ts|json|md|css|html)$|license/i.test(entry.name))
    .map((entry) => relative(top, join(entry.parentPath, entry.name)))
    .sort()
  return Promise.all(paths.map(async (path): Promise<[string, string]> => [path, await readFile(join(top, path), 'utf8')]))
}
