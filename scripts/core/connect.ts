import pg from 'pg'
import type { Target } from './target.ts'
import { Failure } from './failure.ts'

const oldest = 15
const newest = 18

/**
 * Runs `work` on a new connection and closes it.
 *
 * @throws Failure when the server cannot be reached, refuses the login, or runs an untested major version.
 */
export async function withClient<T>(target: Target, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await connect(target)
  try {
    return await work(client)
  } finally {
    await client.end().catch(() => undefined)
  }
}

/** As `withClient`, for a caller that closes the connection itself. */
export async function connect(target: Target): Promise<pg.Client> {
  const client = new pg.Client(target.pg)
  // Without a listener a connection that breaks between two queries would end the process.
  client.on('error', () => undefined)
  try {
    await client.connect()
  } catch (cause) {
    // A half-open connection would keep the process running until the server closes it.
    client.connection.stream.destroy()
    throw explain(target, cause)
  }
  const { rows } = await client.query<{ version: string }>(`select current_setting('server_version_num') as version`)
  const major = Math.floor(Number(rows[0]?.version) / 10_000)
  if (major < oldest || major > newest) {
    await client.end()
    throw new Failure(`${target.label} runs PostgreSQL ${major}`, `this schema is tested on ${oldest} to ${newest}: use one of these`)
  }
  return client
}

function explain(target: Target, cause: unknown): Failure {
  const { code, message } = cause as { code?: string; message: string }
  const what = `cannot connect to ${target.label}`
  if (/client password must be a string/.test(message)) {
    return new Failure(`${what}: the server requires a password`, 'add it to DATABASE_URL, or set PGPASSWORD', { cause })
  }
  switch (code) {
    case 'ECONNREFUSED':
    case 'ECONNRESET':
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
      return new Failure(`${what}: no server answers at this address`, 'start the server, or correct host and port in DATABASE_URL', { cause })
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new Failure(`${what}: the host does not exist`, 'correct the host in DATABASE_URL', { cause })
    case '28P01':
    case '28000':
      return new Failure(`${what}: ${message}`, 'correct user and password in DATABASE_URL', { cause })
    case '3D000':
      return new Failure(`${what}: the database does not exist`, 'create it, or correct the name in DATABASE_URL', { cause })
    default:
      return new Failure(`${what}: ${message}`, 'check DATABASE_URL and the server', { cause })
  }
}

const remedies: Readonly<Record<string, string>> = {
  '25006': 'the database is read-only: use the primary, or turn default_transaction_read_only off',
  '42501': 'log in as the role that owns the schema (`postgres` on Supabase)',
  '55P03': 'another session holds the lock (`make doctor` shows it): run it again later',
  '57014': 'statement_timeout or pg_cancel_backend() ended it: run it again when the server is less busy',
}

/** Converts an error that the server returns for a statement of this project into a `Failure`. */
export async function orFailure<T>(target: Target, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof Failure || !(error instanceof Error)) throw error
    if (error instanceof pg.DatabaseError) {
      const remedy = remedies[error.code ?? ''] ?? 'correct the cause and run it again'
      throw new Failure(`${target.label}: ${error.message} (${error.code})`, remedy, { cause: error })
    }
    if (/^Connection terminated|not queryable/.test(error.message) || 'syscall' in error) {
      throw new Failure(`${target.label}: the connection broke`, 'check the server and run it again', { cause: error })
    }
    throw error
  }
}
