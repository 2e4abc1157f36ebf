import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { claim, orphans } from '../../db/testing/claims.ts'
import { halt } from '../../db/testing/cluster.ts'
import { withClient } from '../core/connect.ts'
import { fromRoot } from '../core/paths.ts'
import { parseDatabaseUrl, withDatabase, type Target } from '../core/target.ts'
import { migrate } from '../migrate/migrator.ts'
import { locate } from '../postgres/binaries.ts'
import { copyData } from '../postgres/data-directory.ts'
import { ownerOf } from '../postgres/scratch.ts'
import { type Server, startThrowawayServer, superuser } from '../postgres/server.ts'
import { createSupabaseDatabase, createSupabaseRoles } from '../postgres/supabase.ts'
import { logins, template } from './names.ts'

/** The files that determine the template. When one changes, the template is created again. */
const ingredients = ['db/migrations', 'db/supabase', 'scripts/migrate', 'scripts/postgres/supabase.ts', 'scripts/test-runner/server.ts']

/** The number of migrated clusters to keep per major version, for switching between branches. */
const keptAtMost = 3

/**
 * A throw-away server with Supabase's roles, the migrated template database and the logins of services. Migrating takes
 * many times as long as copying, so the stopped cluster is kept under the hash of its ingredients, and the server gets a copy.
 *
 * @param signal stops it.
 * @param onPrepare called when the cluster does not exist yet.
 */
export async function startPreparedServer(
  native: string | undefined,
  signal: AbortSignal,
  onPrepare: () => void,
): Promise<Server> {
  const at = locate(native)
  const nameNow = (): string => join(at.home, `template-${at.major}-${hashOf(at.version)}`)
  let kept = nameNow()
  // Repeats if a file was edited while it was read.
  for (; !existsSync(kept); kept = nameNow()) {
    onPrepare()
    await prepare(native, kept, signal, () => nameNow() === kept)
    removeOld(at.home, `template-${at.major}-`)
  }
  const now = new Date()
  utimesSync(kept, now, now)
  const server = await startThrowawayServer({ ...(native === undefined ? {} : { native }), copyOf: kept })
  if (signal.aborted) await server.stop()
  signal.throwIfAborted()
  return server
}

/** Concurrent runs may prepare the same cluster and may be killed, so the folder gets its name when it is complete. */
async function prepare(
  native: string | undefined,
  kept: string,
  signal: AbortSignal,
  isCurrent: () => boolean,
): Promise<void> {
  const server = await startThrowawayServer(native === undefined ? {} : { native })
  const unfinished = claim(`${kept}.unfinished`)
  // The migration fails when its server stops.
  const stop = (): void => void server.stop()
  signal.addEventListener('abort', stop, { once: true })
  try {
    signal.throwIfAborted()
    await prepareCluster(parseDatabaseUrl(server.url('postgres', superuser)))
    // A fast shutdown writes everything to the files.
    await halt(join(server.folder, 'data'), 'SIGINT')
    await copyData(server.folder, unfinished, locate(native))
    if (isCurrent()) renameSync(unfinished, kept)
  } catch (error) {
    if (signal.aborted || !existsSync(kept)) throw error
  } finally {
    signal.removeEventListener('abort', stop)
    rmSync(unfinished, { recursive: true, force: true })
    await server.stop()
  }
}

async function prepareCluster(admin: Target): Promise<void> {
  await createSupabaseRoles(admin)
  await createSupabaseDatabase(admin, template)
  await migrate(ownerOf(withDatabase(admin, template)))
  await withClient(admin, async (client) => {
    for (const [role, login] of Object.entries(logins)) {
      await client.query(`create role ${login} login password ${client.escapeLiteral(String(admin.pg.password))} in role ${role}`)
    }
  })
}

function hashOf(version: string): string {
  const sum = createHash('sha256').update(version)
  for (const path of ingredients.flatMap(filesIn)) sum.update(`\n${path}\n`).update(readFileSync(fromRoot(path)))
  return sum.digest('hex').slice(0, 16)
}

function filesIn(path: string): string[] {
  if (statSync(fromRoot(path)).isFile()) return [path]
  return readdirSync(fromRoot(path)).sort().map((name) => `${path}/${name}`)
}

/** Keeps the newest clusters, which include any that another run is copying. */
function removeOld(home: string, prefix: string): void {
  const names = readdirSync(home).filter((name) => name.startsWith(prefix))
  const usedAt = (name: string): number => statSync(join(home, name)).mtimeMs
  const complete = names.filter((name) => !name.includes('unfinished')).sort((a, b) => usedAt(b) - usedAt(a))
  const abandoned = names.flatMap((name) => {
    const [, kept] = /^(.*\.unfinished)-/.exec(name) ?? []
    return kept === undefined ? [] : orphans(join(home, kept))
  })
  for (const path of [...complete.slice(keptAtMost).map((name) => join(home, name)), ...abandoned]) {
    rmSync(path, { recursive: true, force: true })
  }
}
