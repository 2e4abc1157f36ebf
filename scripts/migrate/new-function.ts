import { type Node, parse } from 'libpg-query'
import { Failure } from '../core/failure.ts'
import { createMigration, type Migration, migrationsFolder, readMigrations } from './migrations.ts'

/** A function or procedure, as the newest migration that defines it writes it. */
export interface RoutineDefinition {
  /** `private.claim_generations(text, integer)`: its name and the types of its input parameters. */
  readonly signature: string
  /** The statement as `create or replace`, without its semicolon. */
  readonly sql: string
}

/**
 * Writes a migration with the current definition of a function in both sections, to be edited in the first. `create or
 * replace` keeps its owner, grants and comment.
 * @param wanted its name, with or without schema and parameter types.
 * @throws Failure when there is no such function, or more than one.
 */
export async function createFunctionMigration(
  wanted: string,
  name?: string,
  folder = migrationsFolder,
  now = new Date(),
): Promise<string> {
  const { signature, sql } = findRoutine(await routinesIn(await readMigrations(folder)), wanted)
  const plainName = signature.replace(/\(.*/s, '').split('.').at(-1) ?? ''
  const section = `set local lock_timeout = '3s';\n\n${sql};\n`
  const text = `\
-- Changes ${signature}:
-- Why:
-- Locks: none.
-- Undo: restores the previous definition.

-- migrate:up
${section}
-- migrate:down
${section}`
  return createMigration(name ?? `change_${plainName.replaceAll(/_+/g, '_')}`, folder, now, text)
}

/** What the migrations define and do not drop. A test compares it with the functions of a migrated database. */
export async function routinesIn(migrations: readonly Pick<Migration, 'up'>[]): Promise<RoutineDefinition[]> {
  const found = new Map<string, RoutineDefinition>()
  for (const { up } of migrations) {
    // The parser counts bytes.
    const bytes = Buffer.from(`${up}\n`)
    for (const { stmt, stmt_location: start = 0, stmt_len: length } of (await parse(bytes.toString())).stmts ?? []) {
      if (!stmt) continue
      if ('CreateFunctionStmt' in stmt) {
        const signature = signatureOf(stmt.CreateFunctionStmt)
        const statement = bytes.subarray(start, length === undefined ? undefined : start + length).toString()
        const sql = statement.replace(/^(\s|--.*\n)*create\s+(or\s+replace\s+)?/i, 'create or replace ').trim()
        found.set(signature, { signature, sql })
      } else if ('DropStmt' in stmt && /FUNCTION|PROCEDURE|ROUTINE/.test(`${stmt.DropStmt.removeType}`)) {
        for (const one of stmt.DropStmt.objects ?? []) {
          if ('ObjectWithArgs' in one) found.delete(`${nameOf(one.ObjectWithArgs.objname)}(${types(one.ObjectWithArgs.objargs)})`)
        }
      }
    }
  }
  return [...found.values()]
}

type CreateFunction = Extract<Node, { CreateFunctionStmt: unknown }>['CreateFunctionStmt']

export function signatureOf({ funcname, parameters = [] }: CreateFunction): string {
  const inputs = parameters.flatMap((one) =>
    'FunctionParameter' in one && !/_(OUT|TABLE)$/.test(`${one.FunctionParameter.mode}`) ? [one.FunctionParameter.argType] : [],
  )
  return `${nameOf(funcname)}(${types(inputs)})`
}

function findRoutine(routines: readonly RoutineDefinition[], wanted: string): RoutineDefinition {
  const squeeze = (text: string): string => text.replaceAll(/\s/g, '')
  const isWanted = ({ signature }: RoutineDefinition): boolean => {
    const withoutSchema = signature.slice(signature.indexOf('.') + 1)
    const names = [signature, withoutSchema].flatMap((one) => [one, one.slice(0, one.indexOf('('))])
    return names.map(squeeze).includes(squeeze(wanted))
  }
  const [match, ...others] = routines.filter(isWanted)
  if (match === undefined) {
    throw new Failure(
      `there is no function ${wanted} in the migrations`,
      'write its name as db/schema.sql has it: make new function=claim_generations',
    )
  }
  if (others.length > 0) {
    throw new Failure(
      `${wanted} can be ${[match, ...others].map(({ signature }) => signature).join(' or ')}`,
      `choose one: make new function='${match.signature}'`,
    )
  }
  return match
}

/** How SQL writes what the parser calls by the name in the catalog. */
const typeNames: Readonly<Record<string, string>> = {
  bool: 'boolean',
  float4: 'real',
  float8: 'double precision',
  int2: 'smallint',
  int4: 'integer',
  int8: 'bigint',
  varchar: 'character varying',
}

const types = (list: readonly unknown[] = []): string => list.map(typeOf).join(', ')

function typeOf(node: unknown): string {
  const { names, arrayBounds = [] } = (typeof node === 'object' && node !== null && 'TypeName' in node ? node.TypeName : node) as {
    names?: unknown
    arrayBounds?: unknown[]
  }
  const [, inCatalog] = /^pg_catalog\.(.+)$/.exec(nameOf(names)) ?? []
  const name = inCatalog === undefined ? nameOf(names) : (typeNames[inCatalog] ?? inCatalog)
  return name + '[]'.repeat(arrayBounds.length)
}

const nameOf = (parts: unknown): string =>
  (Array.isArray(parts) ? parts : []).flatMap((part: { String?: { sval?: string } }) => part.String?.sval ?? []).join('.')
