import type pg from 'pg'
import { orFailure, withClient } from '../core/connect.ts'
import { Failure } from '../core/failure.ts'
import { refusePooledSessions, refusePooler } from '../core/refuse-pooler.ts'
import type { Target } from '../core/target.ts'
import { resolveTarget } from '../postgres/resolve-target.ts'
import { exists } from './migrator.ts'

/**
 * Runs `work` on a connection to the database of the command; an error of the server becomes a `Failure`.
 *
 * @param needs relations without which the command cannot work.
 * @param options `isDirect`: it keeps settings in its session, so a transaction pooler is refused.
 * @throws Failure when one of them is missing; it says what the database lacks.
 */
export async function onDatabase<T>(
  needs: readonly string[],
  work: (client: pg.Client, target: Target) => Promise<T>,
  { isDirect = false }: { readonly isDirect?: boolean } = {},
): Promise<T> {
  const target = await resolveTarget()
  if (isDirect) refusePooler(target)
  return withClient(target, (client) =>
    orFailure(target, async () => {
      if (isDirect) await withClient(target, (second) => refusePooledSessions(target, client, second))
      await requireMigrated(client, target, needs)
      return work(client, target)
    }),
  )
}

/** @throws Failure when a relation is missing, or the database is not one of this project. */
export async function requireMigrated(client: pg.Client, target: Target, needs: readonly string[]): Promise<void> {
  const { rows } = await client.query<{ is_migrated: boolean; has_auth: boolean; is_legacy: boolean }>(`
    select to_regclass('dbmate.schema_migrations') is not null as is_migrated,
      to_regclass('auth.users') is not null as has_auth,
      to_regclass('public.generation_requests') is not null as is_legacy`)
  const { is_migrated: isMigrated, has_auth: hasAuth, is_legacy: isLegacy } = rows[0]!
  if (!hasAuth && !isMigrated) {
    const remedy = 'check DATABASE_URL; an empty local database is prepared by `make up`'
    throw new Failure(`${target.label} is not a database of this project: it has no table auth.users`, remedy)
  }
  if (!isMigrated) {
    if (isLegacy) {
      throw new Failure(`${target.label} has tables that no migration created`, 'run `make preflight`, then `make adopt`')
    }
    throw new Failure(`${target.label} is not migrated`, 'run `make migrate`')
  }
  for (const relation of needs) {
    if (await exists(client, relation)) continue
    throw new Failure(`${target.label} lacks ${relation}: it is not migrated far enough`, 'run `make migrate`')
  }
}
