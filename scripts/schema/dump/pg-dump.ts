import { Buffer } from 'node:buffer'
import { on } from 'node:events'
import type { Worker } from 'node:worker_threads'
import type { Client } from 'pg'
import { connect } from '../../core/connect.ts'
import type { Target } from '../../core/target.ts'
import { Failure } from '../../core/failure.ts'
import type { DumpJob, DumpMessage } from './pg-dump-worker.ts'
import { startThread } from '../../core/thread.ts'

interface Surroundings {
  /** The current role, quoted as pg_dump quotes it. */
  readonly role: string
  readonly server_version: string
  readonly is_superuser: string
  readonly other_schemas: readonly string[]
  /** Publications of the dumping role. They belong to no schema, and are dumped as part of its schema. */
  readonly publications: readonly string[]
}

/**
 * Dumps the schema as SQL text, with privileges, normalised so that equal schemas give equal bytes on any machine.
 *
 * The dump contains `schemas` without owners, extensions, and default privileges and publications of roles other than that
 * of `target`. The server deparses views and functions: compare dumps of one major version only.
 *
 * It loads as one query into an empty database that has the roles and the `auth` schema. Close that session afterwards:
 * it keeps the settings at the top of the dump, such as an empty `search_path`.
 *
 * @throws Failure with the message of the server or of pg_dump.
 */
export async function dumpSchema(
  target: Target,
  { schemas = ['public', 'private'] }: { schemas?: readonly string[] } = {},
): Promise<string> {
  const client = await connect(target)
  try {
    const surroundings = await readSurroundings(client, schemas)
    const result = await runPgDump(client, surroundings)
    if ('error' in result) {
      throw new Failure(
        `pg_dump failed on ${target.label}: ${result.error}`,
        'name a role in DATABASE_URL that may read the whole schema, while no migration runs',
      )
    }
    return normalise(result.text, schemas, surroundings)
  } finally {
    // Not end(): the client no longer reads from the connection.
    client.connection.stream.destroy()
  }
}

async function readSurroundings(client: Client, schemas: readonly string[]): Promise<Surroundings> {
  const { rows } = await client.query<Surroundings>(
    `select
      quote_ident(current_user) as role,
      current_setting('server_version') as server_version,
      current_setting('is_superuser') as is_superuser,
      array(
        select nspname::text from pg_namespace
        where nspname <> all ($1) and nspname <> 'information_schema' and nspname !~ '^pg_'
      ) as other_schemas,
      array(select pubname::text from pg_publication where pg_get_userbyid(pubowner) = current_user) as publications`,
    [schemas],
  )
  return rows[0]!
}

/**
 * Runs pg_dump in a thread, over the connection that `client` has opened and authenticated. Schemas are excluded, not
 * included: with `--schema` pg_dump omits the default privileges for all schemas.
 */
async function runPgDump(client: Client, surroundings: Surroundings): Promise<Exclude<DumpMessage, Uint8Array>> {
  const exchange = takeOver(client, surroundings)
  const replies = new Int32Array(new SharedArrayBuffer(4))
  const job: DumpJob = {
    args: [
      '--schema-only',
      '--no-owner',
      '--no-tablespaces',
      '--no-table-access-method',
      '--lock-wait-timeout=10s',
      ...surroundings.other_schemas.map((name) => `--exclude-schema="${name.replaceAll('"', '""')}"`),
      // No connection is opened to this address. It prevents pg_dump from requesting TLS.
      '--dbname=host=127.0.0.1 sslmode=disable',
    ],
    replies: replies.buffer,
  }
  const worker = idle.pop() ?? startWorker()
  worker.ref()
  try {
    worker.postMessage(job)
    for await (const [message] of on(worker, 'message', { close: ['exit'] }) as AsyncIterable<[DumpMessage]>) {
      if (!(message instanceof Uint8Array)) {
        if ('text' in message) keepIdle(worker)
        return message
      }
      worker.postMessage(await exchange(message))
      Atomics.add(replies, 0, 1)
      Atomics.notify(replies, 0)
    }
    throw new Error('the thread of pg_dump ended without a result')
  } finally {
    if (!idle.includes(worker)) await worker.terminate()
  }
}

/** Idle threads, kept because starting one takes as long as a dump, and later dumps of a thread are faster. */
const idle: Worker[] = []

/** Starts a thread ahead of the next dump. */
export const prepareDump = (): void => keepIdle(startWorker())

function startWorker(): Worker {
  const worker = startThread(new URL('pg-dump-worker', import.meta.url))
  worker.once('exit', () => {
    if (idle.includes(worker)) idle.splice(idle.indexOf(worker), 1)
  })
  return worker
}

function keepIdle(worker: Worker): void {
  // An idle thread does not keep the process alive.
  worker.unref()
  idle.push(worker)
}

/** On Node 20 `--import tsx` does not reach into threads. */
export function typescriptLoader(): string {
  const code = `import { register } from '${import.meta.resolve('tsx/esm/api')}'; register()`
  return `data:text/javascript,${encodeURIComponent(code)}`
}

/**
 * Takes the connection over from `client`. The first bytes from pg_dump are its login request. It is answered here,
 * because `client` has already logged in (with TLS and password). All other bytes go to the server. A reply is complete
 * when the server is ready for the next query or has closed the connection.
 */
function takeOver(client: Client, surroundings: Surroundings): (bytes: Uint8Array) => Promise<Uint8Array> {
  const { stream } = client.connection
  stream.removeAllListeners('data')
  const chunks = on(stream, 'data', { close: ['close'] }) as AsyncIterableIterator<[Buffer]>
  let sent: Buffer | undefined

  return async (bytes) => {
    if (!sent) {
      sent = Buffer.alloc(0)
      return fakeLoginResponse(surroundings)
    }
    stream.write(bytes)
    sent = Buffer.concat([sent, bytes])
    const type = lastMessage(sent)
    if (type === undefined) return Buffer.alloc(0)
    sent = Buffer.alloc(0)
    return type === 'Q' || type === 'S' ? await untilReady(chunks) : Buffer.alloc(0)
  }
}

async function untilReady(chunks: AsyncIterator<[Buffer]>): Promise<Buffer> {
  let reply = Buffer.alloc(0)
  while (lastMessage(reply) !== 'Z') {
    // pg_dump reports a lost connection itself.
    const next = await chunks.next().catch(() => ({ done: true, value: undefined }) as const)
    if (next.done) break
    reply = Buffer.concat([reply, next.value[0]])
  }
  return reply
}

/** The type of the last message, or `undefined` if that message is incomplete. */
function lastMessage(bytes: Buffer): string | undefined {
  let type: string | undefined
  for (let offset = 0; offset < bytes.length; ) {
    if (offset + 5 > bytes.length) return undefined
    type = String.fromCharCode(bytes.readUInt8(offset))
    offset += 1 + bytes.readInt32BE(offset + 1)
    if (offset > bytes.length) return undefined
  }
  return type
}

/** The messages of a server after a login: AuthenticationOk, the parameters that pg_dump reads, ReadyForQuery. */
function fakeLoginResponse({ server_version, is_superuser }: Surroundings): Buffer {
  const parameters = { server_version, is_superuser, client_encoding: 'UTF8', standard_conforming_strings: 'on' }
  return Buffer.concat([
    message('R', Buffer.alloc(4)),
    ...Object.entries(parameters).map(([name, value]) => message('S', Buffer.from(`${name}\0${value}\0`))),
    message('Z', Buffer.from('I')),
  ])
}

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.write(type)
  head.writeInt32BE(4 + body.length, 1)
  return Buffer.concat([head, body])
}

/**
 * Removes entries that depend on the machine or belong to other roles. Sorts grants and the roles of a policy, which
 * pg_dump prints in the order of their creation. (pgDump() itself removes `\restrict`.)
 */
function normalise(text: string, schemas: readonly string[], { role, publications }: Surroundings): string {
  const [preamble = '', ...entries] = text
    .replace(/--\n-- PostgreSQL database dump complete\n--\s*$/, '')
    .split(/^(?=--\n-- Name: .*; Type: .*; Schema: .*; Owner: -\n--\n\n)/m)
  const ours = new Set([
    ...schemas.filter((name) => name !== 'public').flatMap((name) => [`SCHEMA ${name}`, `COMMENT SCHEMA ${name}`]),
    ...schemas.map((name) => `ACL SCHEMA ${name}`),
    ...publications.flatMap((name) => [`PUBLICATION ${name}`, `COMMENT PUBLICATION ${name}`]),
  ])
  const kept = entries.flatMap((entry) => {
    const [, name, type, schema] = /^--\n-- Name: (.*); Type: (.*); Schema: (.*); Owner: -\n/.exec(entry)!
    switch (type) {
      case 'DEFAULT ACL':
        // Without the role, like all entries: they then apply to the role that loads the text.
        return entry.includes(`\nALTER DEFAULT PRIVILEGES FOR ROLE ${role} `)
          ? sortGrants(entry.replaceAll(`\nALTER DEFAULT PRIVILEGES FOR ROLE ${role} `, '\nALTER DEFAULT PRIVILEGES '))
          : []
      case 'ACL':
        return schema !== '-' || ours.has(`${type} ${name}`) ? sortGrants(entry) : []
      case 'POLICY':
        return sortRoles(entry)
      default:
        return schema !== '-' || ours.has(`${type} ${name}`) ? entry : []
    }
  })
  const settings = preamble.replace(/^(?:--.*|SET transaction_timeout = .*)\n/gm, '')
  return `${[settings, withoutDefaults, ...kept].map((part) => part.trim()).join('\n\n\n')}\n`
}

/**
 * The grants of a dump are complete only if no default privileges apply to the created objects. Hosted Supabase has
 * default privileges in `public`, even TRUNCATE for `anon`, and no statement of the dump would revoke them.
 */
const withoutDefaults = `
-- The grants below are complete only where nothing is granted by default, as hosted Supabase does.
DO $$
DECLARE
    v_revoke text;
BEGIN
    FOR v_revoke IN
        SELECT DISTINCT format(
            'ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON %s FROM %s',
            CASE defaclobjtype
                WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' ELSE 'TYPES'
            END,
            CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END
        )
        FROM pg_default_acl, aclexplode(defaclacl)
        WHERE defaclnamespace = 'public'::regnamespace AND pg_get_userbyid(defaclrole) = current_user
    LOOP
        EXECUTE v_revoke;
    END LOOP;
END
$$;`

/** Sorts grants, which an ACL keeps in the order of their execution. Revokes stay first: they clear the ACL for the grants. */
function sortGrants(entry: string): string {
  const [header = '', body = ''] = entry.split(/(?<=\n--\n\n)/)
  const lines = body.trim().split('\n')
  const verb = /^(?:ALTER DEFAULT PRIVILEGES (?:IN SCHEMA \S+ )?)?(REVOKE|GRANT) .*;$/
  const verbs = lines.map((line) => verb.exec(line)?.[1])
  // If a grantee granted a privilege to others, `SET SESSION AUTHORIZATION` comes in between, and the order matters.
  if (verbs.includes(undefined)) return entry
  const revokes = lines.filter((_, i) => verbs[i] === 'REVOKE').sort()
  const grants = lines.filter((_, i) => verbs[i] === 'GRANT').sort()
  return header + [...revokes, ...grants].join('\n')
}

const identifier = String.raw`(?:"(?:[^"]|"")+"|[^\s".]+)`
const policyRoles = new RegExp(
  String.raw`^(CREATE POLICY ${identifier} ON ${identifier}\.${identifier}(?: AS RESTRICTIVE)?(?: FOR [A-Z]+)? TO )` +
    String.raw`(.+?)(?= USING \(| WITH CHECK \(|;$)`,
  'm',
)

/** Sorts the roles of a policy, which pg_dump prints in the order of the rows in pg_authid. */
function sortRoles(entry: string): string {
  return entry.replace(policyRoles, (_, head: string, roles: string) => head + roles.split(', ').sort().join(', '))
}
