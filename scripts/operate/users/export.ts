import type { Writable } from 'node:stream'
import pg from 'pg'
import { Failure } from '../../core/failure.ts'
import { allRows } from '../read-only.ts'
import { accountColumns, excludedColumns, tablesWithoutOwner } from './rules.ts'
import { belongsToUser, mentionsUser, otherMentions, ownerOf, readTables } from './tables.ts'
import type { UserColumn, UserTable } from './tables.ts'

/**
 * Exports all data of a user in one snapshot, one line of JSON per row: {"table": "public.apps", "row": {…}}. The last
 * line is the manifest, {"manifest": {…}}; a file without it is incomplete.
 *
 * Rows of the user are exported with all columns except secrets: the export shows that a token exists, its provider and
 * its expiry. From rows of other users that mention the user (`generation_events.acting_user_id`) only the mention, enum
 * values and times are exported: {"table": …, "mention": {…}}.
 */

export interface Manifest {
  readonly user_id: string
  readonly exported_at: string
  /** Exported lines by table, including mentions. Tables without any are listed with 0. */
  readonly rows: Readonly<Record<string, number>>
  /** The columns that are not exported, with the reason. */
  readonly left_out: Readonly<Record<string, string>>
}

export interface ExportOptions {
  readonly report?: (table: string, rows: number) => void
  readonly signal?: AbortSignal
}

/** @throws Failure when the user does not exist, or is mentioned in a table for which there is no rule. */
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
    // Closing the connection is the only way to stop a running query's result.
    signal?.addEventListener('abort', stop)
    const tables = await readTables(client)
    await requireRules(client, tables, userId)
    const rows: Record<string, number> = {}
    for (const { name, statements } of [await account(client), ...tables.map(exportOf)]) {
      rows[name] = 0
      for (const statement of statements) {
        signal?.throwIfAborted()
        rows[name] += await stream(client, statement, userId, out)
        report?.(name, rows[name])
      }
    }
    if (rows['auth.users'] === 0) throw new Failure(`there is no user ${userId}`, 'look up the id in auth.users')
    const { rows: times } = await client.query<{ now: string }>('select to_json(now()) #>> \'{}\' as now')
    const manifest = { user_id: userId, exported_at: times[0]!.now, rows, left_out: allExcludedColumns(tables) }
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
  /** SQL statements that each return lines. */
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
  const belongs = belongsToUser(table)
  if (belongs === undefined) return { name, statements: [] }
  const exportable = columns.filter((column) => !isExcluded(table, column)).map((column) => column.name)
  const exported = tablesWithoutOwner[name]?.columns ?? exportable
  const own = select(name, 'row', exported, belongs)
  const mentions = otherMentions(table)
  if (!ownerOf(table) || mentions.length === 0) return { name, statements: [own] }
  const shown = columns.filter(({ kind }) => kind === 'time' || kind === 'enum').map((column) => column.name)
  const where = `(${mentions.join(' or ')}) and (${belongs}) is not true`
  return { name, statements: [own, select(name, 'mention', shown, where, mentioningColumns(table))] }
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

/** The columns that mention the user. Other values of these columns are hidden: they can be ids of other users. */
const mentioningColumns = ({ columns }: UserTable): string[] =>
  columns
    .filter(({ name, kind }) => kind === 'uuid' && name !== 'user_id')
    .map(({ name }) => `case when t.${name} = $1::uuid then t.${name} end as ${name}`)

const isExcluded = ({ name }: UserTable, column: UserColumn): boolean =>
  column.kind === 'secret' || `${name}.${column.name}` in excludedColumns

const allExcludedColumns = (tables: readonly UserTable[]): Record<string, string> => ({
  ...Object.fromEntries(
    tables.flatMap(({ name, columns }) =>
      columns.filter(({ kind }) => kind === 'secret').map((column) => [`${name}.${column.name}`, 'a sealed token']),
    ),
  ),
  ...excludedColumns,
})

async function requireRules(client: pg.Client, tables: readonly UserTable[], userId: string): Promise<void> {
  for (const table of tables.filter((each) => !ownerOf(each) && !(each.name in tablesWithoutOwner))) {
    const statement = `select from ${table.name} as t where ${mentionsUser(table)} limit 1`
    const { rowCount } = await client.query(statement, [userId])
    if (rowCount === 0) continue
    throw new Failure(
      `${table.name} mentions the user, but no rule defines whose rows it contains`,
      'add a rule in scripts/operate/users/rules.ts',
    )
  }
}

/** Writes rows as they arrive, and pauses the connection while the output is full, so that memory use stays constant. */
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
