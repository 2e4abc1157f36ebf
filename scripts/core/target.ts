import { readFileSync } from 'node:fs'
import process from 'node:process'
import type { ClientConfig } from 'pg'
import { Failure } from './failure.ts'

/**
 * The database of a command. Tools read one `DATABASE_URL` differently: without `sslmode` dbmate requires TLS while `pg`
 * uses none, and with `require` `pg` verifies the certificate while dbmate does not. Here it is read as libpq reads it,
 * and each tool gets the form that has this meaning.
 */
export interface Target {
  /** For display: user, host and database, never the password. */
  readonly label: string
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  /** Whether the host is loopback. Only such a database is reset or filled with sample data. */
  readonly isLocal: boolean
  readonly sslMode: SslMode
  /** The URL with an explicit `sslmode`, as dbmate's driver reads it. It contains the password: pass it by environment only. */
  readonly dbmateUrl: string
  /** Everything `new pg.Client()` needs, `ssl` included. */
  readonly pg: Readonly<ClientConfig>
}

export type SslMode = 'disable' | 'require' | 'verify-ca' | 'verify-full'

const form = 'postgres://user:password@host:5432/database?sslmode=verify-full'

/** @throws Failure when the text is not a PostgreSQL URL, or connects to a remote host without TLS. */
export function parseDatabaseUrl(text: string): Target {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (/^postgres(ql)?:\/\//.test(text) && (!url || url.hash !== '')) {
    throw new Failure(
      'DATABASE_URL cannot be parsed',
      'percent-encode special characters of user and password: # is %23, / is %2F, ? is %3F, @ is %40, % is %25',
    )
  }
  if (!url || !['postgres:', 'postgresql:'].includes(url.protocol)) {
    throw new Failure('DATABASE_URL is not a PostgreSQL URL', `write it as ${form}`)
  }
  // Tools disagree on which part takes precedence. The database that is locked and checked must be the one that is migrated.
  for (const name of ['host', 'port', 'dbname', 'user', 'password']) {
    if (!url.searchParams.has(name)) continue
    throw new Failure(`DATABASE_URL has the parameter ${name}`, `put it before the question mark: ${form}`)
  }
  const host = decode(url.hostname).replace(/^\[(.*)\]$/, '$1').toLowerCase()
  const database = decode(url.pathname.slice(1))
  const user = decode(url.username)
  if (!host) throw new Failure('DATABASE_URL lacks the host', `write it as ${form}`)
  if (!database) throw new Failure('DATABASE_URL lacks the database', `write it as ${form}`)
  if (!user) throw new Failure('DATABASE_URL lacks the user', `write it as ${form}`)

  const isLocal = isLoopback(host)
  const sslMode = readSslMode(url.searchParams.get('sslmode'), isLocal, host)
  const rootCertificate = url.searchParams.get('sslrootcert') ?? undefined
  const port = Number(url.port || 5432)
  const password = decode(url.password)

  const dbmateUrl = new URL(url)
  dbmateUrl.protocol = 'postgres:'
  dbmateUrl.searchParams.set('sslmode', sslMode)
  // With a search_path in the URL dbmate looks for its own table there.
  dbmateUrl.searchParams.delete('search_path')

  return {
    label: `${user}@${host}:${port}/${database}`,
    host,
    port,
    database,
    user,
    isLocal,
    sslMode,
    dbmateUrl: dbmateUrl.href,
    pg: {
      host,
      port,
      database,
      user,
      ...(password === '' ? {} : { password }),
      ssl: sslOptions(sslMode, rootCertificate),
      connectionTimeoutMillis: 10_000,
      application_name: 'leo-saas-schema',
    },
  }
}

/** Returns a target with the same server and login, but another database. */
export function withDatabase(target: Target, database: string): Target {
  const url = new URL(target.dbmateUrl)
  url.pathname = `/${encodeURIComponent(database)}`
  return parseDatabaseUrl(url.href)
}

/** The database of `DATABASE_URL`, or `undefined`, which means the embedded database. */
export function targetFromEnvironment(): Target | undefined {
  const text = process.env['DATABASE_URL']
  return text === undefined || text.trim() === '' ? undefined : parseDatabaseUrl(text.trim())
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new Failure('DATABASE_URL contains a % that is not an escape', 'write a % in user, password or database as %25')
  }
}

function readSslMode(text: string | null, isLocal: boolean, host: string): SslMode {
  switch (text) {
    case 'require':
    case 'verify-ca':
    case 'verify-full':
      return text
    case 'no-verify':
      return 'require'
    case null:
    case 'disable':
    case 'allow':
    case 'prefer':
      if (isLocal) return 'disable'
      throw new Failure(
        `${host} is not this machine and DATABASE_URL does not require TLS`,
        'add ?sslmode=verify-full&sslrootcert=<file> (or at least ?sslmode=require)',
      )
    default:
      throw new Failure(`sslmode=${text} is unknown`, 'use disable, require, verify-ca or verify-full')
  }
}

function sslOptions(mode: SslMode, rootCertificate: string | undefined): NonNullable<ClientConfig['ssl']> {
  if (mode === 'disable') return false
  const ca = rootCertificate === undefined ? {} : { ca: readCertificate(rootCertificate) }
  // As in libpq: `require` encrypts, and verifies the chain only when a root certificate is named.
  if (mode === 'require' && rootCertificate === undefined) return { rejectUnauthorized: false }
  if (mode === 'verify-full') return { ...ca, rejectUnauthorized: true }
  return { ...ca, rejectUnauthorized: true, checkServerIdentity: () => undefined }
}

function readCertificate(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new Failure(`the certificate file ${file} cannot be read`, 'correct sslrootcert in DATABASE_URL', { cause })
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}
