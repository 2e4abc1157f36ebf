import type { Writable } from 'node:stream'
import pg from 'pg'
import { Failure } from '../../core/failure.ts'
import { accountColumns, leftOut, ownerless } from './rules.ts'
import { allRows, isTheirs, namesThem, otherMentions, ownerOf, readTables } from './tables.ts'
import type { UserColumn, UserTable } from './tables.ts'

/**
 * Everything of one user, a line of JSON a row, in one snapshot: {"table": "public.apps", "row": {…}}. Then the
 * manifest, {"manifest": {…}}, without which the file is not whole.
 *
 * Rows that are the user's come whole, but for secrets: of a sealed token the export says that it is there, for which
 * provider and until when. Rows of others that name the user (`generation_events.acting_user_id`) say only that, what
 * kind of thing it was, and when: {"table": …, "mention": {…}}.
 */

export interface Manifest {
  readonly user_id: string
  readonly exported_at: string
  /** Rows of each table, those that only name the user included; all tables, also those without any. */
  readonly rows: Readonly<Record<string, number>>
  /** Why these columns are not here. */
  readonly left_out: Readonly<Record<string, string>>
}

export interface ExportOptions {
  readonly report?: (table: string, rows: number) => void
  readonly signal?: AbortSignal
}

/** @throws Failure when there is no such user, or their id is in a table of which no rule says what it is. */
export async function exportUser(
  client: pg.Client,
  userId: string,
  out: Writable,
  { report, signal }: ExportOptions = {},
): Promise<Manifest> {
  const stop = (): unknown => client.connection.stream.destroy()
  try {
    await client.query(`
      begin isolation level repeatable read read only;
      ${allRows};
      set local statement_timeout = 0;
      set local timezone = 'UTC'`)
    // Nothing else keeps the server from sending the rest of its answer.
    signal?.addEventListener('abort', stop)
    const tables = await readTables(client)
    await refuseUnjudged(client, tables, userId)
    const rows: Record<string, number> = {}
    for (const { name, statements } of [await account(client), ...tables.map(exportOf)]) {
      rows[name] = 0
      for (const statement of statements) {
        signal?.throwIfAborted()
        rows[name] += await stream(client, statement, userId, out)
        report?.(name, rows[name])
      }
    }
    if (rows['auth.users'] === 0) throw new Failure(`there is no user ${userId}`, 'look the id up in auth.users')
    const { rows: times } = await client.query<{ now: string }>('select to_json(now()) #>> \'{}\' as now')
    const manifest = { user_id: userId, exported_at: times[0]!.now, rows, left_out: secretsAnd(tables) }
    signal?.throwIfAborted()
    out.write(`${JSON.stringify({ manifest })}\n`)
    return manifest
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener('abort', stop)
    await client.query('rollback').catch(() => undefined)
  }
}

interface TableExport {
  readonly name: string
  /** Each gives lines. */
  readonly statements: readonly string[]
}

async function account(client: pg.Client): Promise<TableExport> {
  const { rows } = await client.query<{ name: string }>(
    `select quote_ident(attname) as name from pg_attribute
     where attrelid = 'auth.users'::regclass and attname = any ($1) and not attisdropped order by attnum`,
    [accountColumns],
  )
  return {
    name: 'auth.users',
    statements: [select('auth.users', 'row', rows.map(({ name }) => name), 't.id = $1::uuid')],
  }
}

function exportOf(table: UserTable): TableExport {
  const { name, columns } = table
  const theirs = isTheirs(table)
  if (theirs === undefined) return { name, statements: [] }
  const exportable = columns.filter((column) => !isLeftOut(table, column)).map((column) => column.name)
  const carried = ownerless[name]?.columns ?? exportable
  const own = select(name, 'row', carried, theirs)
  const mentions = otherMentions(table)
  if (!ownerOf(table) || mentions.length === 0) return { name, statements: [own] }
  const shown = columns.filter(({ kind }) => kind === 'time' || kind === 'enum').map((column) => column.name)
  const of = `(${mentions.join(' or ')}) and (${theirs}) is not true`
  return { name, statements: [own, select(name, 'mention', shown, of, mentionedIn(table))] }
}

function select(
  table: string,
  as: 'row' | 'mention',
  columns: readonly string[],
  where: string,
  more: readonly string[] = [],
): string {
  const list = [...columns.map((name) => `t.${name}`), ...more].join(', ')
  const object = `(select to_json(r.*) from (select ${list}) as r)`
  const line = `json_build_object('table', ${pg.escapeLiteral(table)}, '${as}', ${object})::text`
  return `select ${line} as line from ${table} as t where ${where}`
}

/** The columns that name the user; what else stands there may be another's id. */
const mentionedIn = ({ columns }: UserTable): string[] =>
  columns
    .filter(({ name, kind }) => kind === 'uuid' && name !== 'user_id')
    .map(({ name }) => `case when t.${name} = $1::uuid then t.${name} end as ${name}`)

const isLeftOut = ({ name }: UserTable, column: UserColumn): boolean =>
  column.kind === 'secret' || `${name}.${column.name}` in leftOut

const secretsAnd = (tables: readonly UserTable[]): Record<string, string> => ({
  ...Object.fromEntries(
    tables.flatMap(({ name, columns }) =>
      columns.filter(({ kind }) => kind === 'secret').map((column) => [`${name}.${column.name}`, 'a sealed token']),
    ),
  ),
  ...leftOut,
})

async function refuseUnjudged(client: pg.Client, tables: readonly UserTable[], userId: string): Promise<void> {
  for (const table of tables.filter((each) => !ownerOf(each) && !(each.name in ownerless))) {
    const statement = `select from ${table.name} as t where ${namesThem(table)} limit 1`
    const { rowCount } = await client.query(statement, [userId])
    if (rowCount === 0) continue
    throw new Failure(
      `${table.name} names the user, and no rule says whose rows it has`,
      'write one in scripts/operate/users/rules.ts',
    )
  }
}

/** Row by row as they arrive, and no faster than they are written: memory holds a few, however many there are. */
async function stream(client: pg.Client, statement: string, userId: string, out: Writable): Promise<number> {
  const { stream: socket } = client.connection
  const resume = (): unknown => socket.resume()
  let count = 0
  try {
    await new Promise<void>((resolve, reject) => {
      client
        .query(new pg.Query<{ line: string }>(statement, [userId]))
        .on('row', ({ line }) => {
          count += 1
          if (out.write(`${line}\n`) || socket.isPaused()) return
          socket.pause()
          out.once('drain', resume)
        })
        .on('error', reject)
        .on('end', () => resolve())
    })
  } finally {
    out.off('drain', resume)
    resume()
  }
  return count
}
