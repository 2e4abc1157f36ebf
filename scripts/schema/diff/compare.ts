import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { parseDatabaseUrl, type Target } from '../../core/target.ts'
import { Failure } from '../../core/failure.ts'
import { fileName, type Migration } from '../../migrate/migrations.ts'
import { root } from '../../core/paths.ts'
import { withScratchServer } from '../../postgres/scratch.ts'
import { resolveTarget } from '../../postgres/resolve-target.ts'
import { compareCells } from './access-matrix.ts'
import { allSettledOrThrow, runMigrations, type SchemaComparison } from './run-migrations.ts'
import { compareWithDatabase, type Database, type Side } from './databases.ts'
import { drawChanges } from './draw-changes.ts'
import { compareFiles } from './files.ts'
import { defaultBase, mergeBase, snapshotOf, workTree, type Snapshot } from './git.ts'
import { lint } from './lint.ts'
import { notesFor } from './notes.ts'
import type { Findings, MeasuredFile, Report, Size } from './report.ts'
import { reasonsFor, verdictOf } from './verdict.ts'

export interface CompareOptions {
  /** A git ref, a database URL, or `DATABASE_URL` for the value of that variable. Default: `origin/main`, else `main`. */
  readonly base?: string | undefined
  /** The same forms. Default: the work tree. */
  readonly head?: string | undefined
  /** Path of a file written by `make sizes`. */
  readonly sizes?: string | undefined
  /** Path of the repository to read. Default: this clone. */
  readonly repository?: string
  /** Runs work on a temporary server, connected as its superuser. */
  readonly withServer?: typeof withScratchServer
}

/**
 * Reports what head changes relative to base. Writes only to temporary databases on a temporary server.
 *
 * @throws Failure when one of the two cannot be built or read; a partial report is never returned.
 */
export async function compare(options: CompareOptions): Promise<Report> {
  const [base, head] = await Promise.all([readSide(options, 'base'), readSide(options, 'head')])
  if (!('target' in base) && !('target' in head)) return compareSnapshots(base, head, options)
  return compareDatabases(base, head, options)
}

async function readSide({ repository = root, ...options }: CompareOptions, side: 'base' | 'head'): Promise<Side> {
  const name = options[side]
  if (name === undefined) return side === 'base' ? defaultBase(repository) : workTree(repository)
  if (name === 'DATABASE_URL') return databaseOf(await resolveTarget())
  // A git ref cannot contain a colon.
  if (name.includes('://')) return databaseOf(parseDatabaseUrl(name))
  return snapshotOf(repository, name)
}

const databaseOf = (target: Target): Database => ({ target, label: target.label })

async function compareSnapshots(base: Snapshot, head: Snapshot, options: CompareOptions): Promise<Report> {
  const { repository = root, withServer = withScratchServer } = options
  const sizes = options.sizes === undefined ? {} : await readSizes(options.sizes)
  const filesPromise = mergeBase(repository, base, head).then((origin) => compareFiles(base, origin, head))
  const lintPromise = filesPromise.then(({ added }) => lint(added))
  const sources = { base: base.types, head: head.types }
  const runPromise = withServer((admin) => runMigrations(admin, filesPromise, base.label, sources))
  const [run, linted, files] = await allSettledOrThrow([runPromise, lintPromise, filesPromise] as const)
  return completeReport({
    base: base.label,
    head: head.label,
    leftOut: [],
    files: {
      added: files.added.map((migration) => ({
        file: fileName(migration),
        transaction: migration.transaction,
        isCommitted: !head.uncommitted.includes(fileName(migration)),
        down: run.roundTrip.downs.get(fileName(migration))!,
      })),
      ahead: files.ahead,
    },
    changes: run.changes,
    remaining: run.remaining,
    cells: compareCells(run.base, run.head, run.matching),
    locks: run.measured.map((one) => ({ ...one, sizes: sizesOf(one, sizes) })),
    lint: { ...linted, advice: run.advice },
    types: run.types,
    rollback: { afterDown: run.roundTrip.afterDown, afterUp: run.roundTrip.afterUp, losses: run.roundTrip.losses },
  }, run, files.added)
}

/** Adds to the findings what is derived from them: verdict, reasons, notes and drawing. */
function completeReport(findings: Findings, schemas: SchemaComparison, added: readonly Migration[]): Report {
  const { base, head, ...rest } = findings
  const reasons = reasonsFor(findings)
  const verdict = verdictOf(reasons)
  const notes = notesFor(findings, verdict, added)
  const drawing = drawChanges(schemas.base, schemas.head, schemas.changes)
  return { format: 1, base, head, verdict, reasons, ...rest, notes, drawing }
}

async function compareDatabases(
  base: Side,
  head: Side,
  { withServer = withScratchServer }: CompareOptions,
): Promise<Report> {
  const schemas = await compareWithDatabase(base, head, withServer)
  return completeReport({
    base: base.label,
    head: head.label,
    leftOut: schemas.leftOut,
    files: null,
    changes: schemas.changes,
    remaining: schemas.remaining,
    cells: compareCells(schemas.base, schemas.head, schemas.matching),
    locks: null,
    lint: null,
    types: schemas.types,
    rollback: null,
  }, schemas, [])
}

// --- Sizes

async function readSizes(file: string): Promise<Sizes> {
  try {
    const sizes = JSON.parse(await readFile(file, 'utf8')) as Record<string, Size>
    const isSize = (one: Size) => typeof one?.rows === 'number' && typeof one.bytes === 'number'
    if (Object.values(sizes).every(isSize)) return sizes
  } catch (cause) {
    throw new Failure(`${basename(file)} cannot be read as JSON`, 'create it with `make sizes file=sizes.json`', { cause })
  }
  throw new Failure(`${basename(file)} is not a sizes file`, 'create it with `make sizes file=sizes.json`')
}

type Sizes = Readonly<Record<string, Size>>

function sizesOf({ effects }: Pick<MeasuredFile, 'effects'>, sizes: Sizes): Sizes {
  const tables = [...new Set(effects.flatMap(({ locks }) => locks.map(({ table }) => table)))].sort()
  return Object.fromEntries(tables.flatMap((table) => (sizes[table] ? [[table, sizes[table]]] : [])))
}
