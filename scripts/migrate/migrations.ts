import { isUtf8 } from 'node:buffer'
import { createHash } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { hasSqlDetails, parse, type Node, type RawStmt } from 'libpg-query'
import { Failure } from '../core/failure.ts'
import { fromRoot } from '../core/paths.ts'
import { printable } from '../core/text.ts'

export interface Migration {
  /** The UTC timestamp that the file's name begins with. */
  readonly version: string
  readonly name: string
  /** Full path. */
  readonly file: string
  /** The file's text with `\n` line endings: dbmate gets exactly the text that is checksummed. */
  readonly source: string
  /** Whether the up section runs in a transaction: `false` after `-- migrate:up transaction:false`. */
  readonly transaction: boolean
  readonly up: string
  readonly down: string
  /** SHA-256 of `source`. */
  readonly checksum: string
  /** The index of an up section that is a `create index concurrently`. */
  readonly concurrentIndex: ConcurrentIndex | undefined
}

export interface ConcurrentIndex {
  readonly name: string
  /** The schema as written; `undefined` leaves it to the search path. */
  readonly schema: string | undefined
  readonly table: string
}

export const migrationsFolder = fromRoot('db', 'migrations')

/** `<verb>_<object>`, the part of a file's name between the version and `.sql`. */
const namePattern = /^[a-z][a-z0-9]*(_[a-z0-9]+)+$/

/** The file's name, as dbmate and every message print it. */
export const fileName = (migration: Migration): string => basename(migration.file)

/**
 * All migrations of a folder, by version.
 * @throws Failure for a file that dbmate could silently skip, or apply or undo in part.
 */
export async function readMigrations(folder = migrationsFolder): Promise<Migration[]> {
  const names = (await list(folder)).filter((name) => !name.startsWith('.') && !name.endsWith('.md')).sort()
  const migrations: Migration[] = []
  for (const name of names) {
    const migration = await readMigration(join(folder, name))
    const previous = migrations.at(-1)
    if (previous?.version === migration.version) {
      throw new Failure(
        `${fileName(previous)} and ${name} have one version`,
        'dbmate would skip the second: give the later one a new timestamp',
      )
    }
    migrations.push(migration)
  }
  return migrations
}

/**
 * Writes a new migration, newer than all others, from the template or with this text, and returns its path.
 * @throws Failure when the name is not `<verb>_<object>`, or is taken.
 */
export async function createMigration(
  name: string,
  folder = migrationsFolder,
  now = new Date(),
  text = template(name),
): Promise<string> {
  if (!namePattern.test(name)) {
    throw new Failure(
      `"${printable(name)}" is not a name for a migration`,
      'write <verb>_<object> in lower case: make new name=create_widgets',
    )
  }
  const others = (await list(folder)).filter((other) => /^\d{14}_.+\.sql$/.test(other)).sort()
  const same = others.find((other) => other.slice(15) === `${name}.sql`)
  if (same !== undefined) throw new Failure(`${same} has that name`, 'choose another name')
  const newest = others.at(-1)?.slice(0, 14) ?? ''
  const timestamp = now.toISOString().replace(/\D/g, '').slice(0, 14)
  const version = timestamp > newest ? timestamp : String(BigInt(newest) + 1n)
  const file = join(folder, `${version}_${name}.sql`)
  await writeFile(file, text, { flag: 'wx' })
  return file
}

const template = (name: string): string => `\
-- What it creates:
-- Why:
-- Locks:
-- Undo:

-- migrate:up
set local lock_timeout = '3s';


-- migrate:down
do $$
begin
  raise exception using errcode = '0A000', message = 'the down section of ${name} is not written';
end
$$;
`

async function readMigration(file: string): Promise<Migration> {
  const [, version, name] = /^(\d{14})_(.+)\.sql$/.exec(basename(file)) ?? []
  if (version === undefined || name === undefined || !namePattern.test(name)) {
    throw new Failure(
      `${basename(file)} is not a name for a migration`,
      'name it <14 digits>_<verb>_<object>.sql in lower case (`make new name=…` does), or move it elsewhere',
    )
  }
  const source = await readText(file)
  const { up, down } = split(file, source)
  const upStatements = await statements(file, up)
  const downStatements = await statements(file, down)

  // `set local lock_timeout` alone is the template of `make new`.
  if (upStatements.every(({ stmt }) => stmt === undefined || 'VariableSetStmt' in stmt)) {
    throw refusal(file, 'has an empty up section', 'write it, or delete the file')
  }
  if (downStatements.length === 0) {
    throw refusal(
      file,
      'has an empty down section',
      'a rollback would remove its record and leave its objects: undo them there, or raise an exception with the reason',
    )
  }
  checkRepeatable(file, up.transaction, upStatements)
  checkRepeatable(file, down.transaction, downStatements)

  return {
    version,
    name,
    file,
    source,
    transaction: up.transaction,
    up: up.sql,
    down: down.sql,
    checksum: createHash('sha256').update(source).digest('hex'),
    concurrentIndex: concurrentIndex(upStatements),
  }
}

async function list(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (cause) {
    throw new Failure(`the migrations folder ${folder} cannot be read`, 'run this in a complete clone', { cause })
  }
}

async function readText(file: string): Promise<string> {
  const bytes = await readFile(file)
  if (!isUtf8(bytes)) throw refusal(file, 'is not UTF-8', 'save it as UTF-8')
  return bytes.toString('utf8').replaceAll('\r\n', '\n')
}

interface Section {
  /** The number of the directive's line, from 1. */
  readonly line: number
  readonly transaction: boolean
  readonly sql: string
}

/** Stricter than dbmate, which ignores `transaction: false` with a space and mishandles several pairs in a file. */
function split(file: string, source: string): { up: Section; down: Section } {
  const lines = source.split('\n')
  const found = lines.flatMap((line, at) => (/^\s*--\s*migrate:/i.test(line) ? [{ at, line }] : []))
  const [up, down] = found.map(({ at, line }, index) => {
    const [, kind, transaction] = /^-- migrate:(up|down)(?: transaction:(true|false))?[ \t]*$/.exec(line) ?? []
    if (kind === undefined) {
      throw refusal(
        file,
        `has \`${line.trim()}\` in line ${at + 1}`,
        'write `-- migrate:up` or `-- migrate:down`, then at most ` transaction:false`, without further spaces',
      )
    }
    const sql = lines.slice(at + 1, found[index + 1]?.at).join('\n')
    return { kind, line: at + 1, transaction: transaction !== 'false', sql }
  })
  if (found.length !== 2 || up?.kind !== 'up' || down?.kind !== 'down') {
    throw refusal(
      file,
      'does not have one `-- migrate:up` followed by one `-- migrate:down`',
      'split it, or add the missing section',
    )
  }
  if (lines.slice(0, up.line - 1).some((line) => !/^\s*(--.*)?$/.test(line))) {
    throw refusal(
      file,
      'has more than `--` lines above `-- migrate:up`',
      'move statements below it, and write comments with `--`',
    )
  }
  return { up, down }
}

async function statements(file: string, { line, sql }: Section): Promise<RawStmt[]> {
  try {
    // The parser refuses an empty text.
    return (await parse(`${sql}\n`)).stmts ?? []
  } catch (error) {
    if (!hasSqlDetails(error)) throw error
    const above = sql.slice(0, error.sqlDetails?.cursorPosition).split('\n').length
    const place = `${basename(file)}:${line + above}`
    throw new Failure(`${place}: ${error.message}`, 'correct it; nothing was run', { cause: error })
  }
}

/** The line, from 1, of a section's directive, from which dbmate counts the line of an error. */
export const directiveLine = ({ source }: Migration, section: 'up' | 'down'): number =>
  source.split('\n').findIndex((line) => line.startsWith(`-- migrate:${section}`)) + 1

/** Refuses statements that a killed run could not repeat, and those that would affect later migrations. */
function checkRepeatable(file: string, transaction: boolean, section: RawStmt[]): void {
  if (!transaction && section.length > 1) {
    throw refusal(
      file,
      'has several statements under `transaction:false`',
      'the server would still run them as one transaction: put each in a file of its own',
    )
  }
  for (const { stmt } of section) {
    if (!stmt) continue
    if (!transaction && !isRepeatable(stmt)) {
      throw refusal(
        file,
        'needs no `transaction:false`',
        'remove it: a run that is killed before it records the file would execute it twice',
      )
    }
    if (!transaction && 'DropStmt' in stmt && !stmt.DropStmt.missing_ok) {
      throw refusal(
        file,
        'drops without `if exists` under `transaction:false`',
        'add it: after a run that is killed before it records the file, every further run would fail',
      )
    }
    if ('TransactionStmt' in stmt) {
      throw refusal(file, 'begins or ends a transaction', 'leave that to dbmate, or split the file')
    }
    if ('VariableSetStmt' in stmt && stmt.VariableSetStmt.kind === 'VAR_SET_VALUE' && !stmt.VariableSetStmt.is_local) {
      throw refusal(file, `sets ${stmt.VariableSetStmt.name} for later migrations too`, 'write `set local`')
    }
  }
}

/** Statements that must run outside a transaction: indexes (the next run drops a leftover) and code that commits itself. */
function isRepeatable(stmt: Node): boolean {
  if ('IndexStmt' in stmt) return stmt.IndexStmt.concurrent === true && stmt.IndexStmt.idxname !== undefined
  if ('DropStmt' in stmt) return stmt.DropStmt.concurrent === true
  return ['CallStmt', 'DoStmt', 'ReindexStmt', 'VacuumStmt'].some((kind) => kind in stmt)
}

function concurrentIndex(section: RawStmt[]): ConcurrentIndex | undefined {
  for (const { stmt } of section) {
    if (!stmt || !('IndexStmt' in stmt) || !stmt.IndexStmt.concurrent) continue
    const { idxname: name, relation } = stmt.IndexStmt
    if (name === undefined || relation?.relname === undefined) continue
    return { name, schema: relation.schemaname, table: relation.relname }
  }
  return undefined
}

const refusal = (file: string, what: string, remedy: string): Failure =>
  new Failure(`${basename(file)} ${what}`, remedy)
