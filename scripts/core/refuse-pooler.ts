import type pg from 'pg'
import { Failure } from './failure.ts'
import type { Target } from './target.ts'

/**
 * A transaction pooler gives the server process of a session, with its locks and settings, to the next client. The
 * port identifies only Supabase's pooler.
 */
export function refusePooler(target: Target): void {
  if (target.port === 6543) throw refusal(target)
}

/** Detects a pooler on any port, by means of two idle sessions of the target. */
export async function refusePooledSessions(target: Target, first: pg.Client, second: pg.Client): Promise<void> {
  if (await isShared(first, second)) throw refusal(target)
}

const refusal = ({ host, port }: Target): Failure =>
  new Failure(
    `${host}:${port} is a transaction pooler, which keeps neither locks nor settings of a session`,
    'use the direct connection, port 5432 (on Supabase db.<project>.supabase.co:5432)',
  )

async function isShared(first: pg.Client, second: pg.Client): Promise<boolean> {
  const before = await backendPid(first)
  await second.query('begin')
  // `second` first: with a single server process behind the pooler, `first` would wait for the end of that transaction.
  const shared = (await backendPid(second)) === before || (await backendPid(first)) !== before
  await second.query('rollback')
  return shared
}

export async function backendPid(client: pg.Client): Promise<number | undefined> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
  return rows[0]?.pid
}
