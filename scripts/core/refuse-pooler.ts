import type pg from 'pg'
import { Failure } from './failure.ts'
import type { Target } from './target.ts'

/**
 * A transaction pooler gives the server process of a session, with its locks and settings, to the next client.
 *
 * @param sessions two idle sessions of the target: they show a pooler on any port. Without them only the port of
 * Supabase's is known.
 */
export async function refusePooler(target: Target, sessions?: readonly [pg.Client, pg.Client]): Promise<void> {
  if (target.port === 6543 || (sessions && (await isShared(...sessions)))) {
    throw new Failure(
      `${target.host}:${target.port} is a transaction pooler, which keeps neither locks nor settings of a session`,
      'use the direct connection, port 5432 (on Supabase db.<project>.supabase.co:5432)',
    )
  }
}

async function isShared(first: pg.Client, second: pg.Client): Promise<boolean> {
  const before = await backendPid(first)
  await second.query('begin')
  // In this order: a pooler with a single server process would let `first` wait for the end of that transaction.
  const shared = (await backendPid(second)) === before || (await backendPid(first)) !== before
  await second.query('rollback')
  return shared
}

export async function backendPid(client: pg.Client): Promise<number | undefined> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
  return rows[0]?.pid
}
