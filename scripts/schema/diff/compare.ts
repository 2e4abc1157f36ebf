import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { parseDatabaseUrl, type Target } from '../../core/target.ts'
import { Failure } from '../../core/failure.ts'
import { fileName, type Migration } from '../../migrate/migrations.ts'
import { root } from '../../core/paths.ts'
import { withScratchServer } from '../../postgres/scratch.ts'
import { resolveTarget } from '../../postgres/resolve-target.ts'
import { compareCells } from './cells.ts'
import { observeDatabases, type Database, type Side } from './databases.ts'
import { compareFiles } from './files.ts'
import { defaultBase, mergeBase, snapshotOf, workTree, type Snapshot } from './git.ts'
import { lint } from './lint.ts'
import { notesFor } from './notes.ts'
import { allEnded, rehearse, type Pair } from './observe.ts'
import { picture } from './picture.ts'
import type { MeasuredFile, Report, Seen, Size } from './report.ts'
import { judgeReport, verdictOf } from './verdict.ts'

export interface Request {
  /** A git ref, a database's URL, or `DATABASE_URL` for the one that it names. Absent: `origin/main`, else `main`. */
  readonly base?: string | undefined
  /** The same; absent: the work tree. */
  readonly head?: string | undefined
  /** A file of `make sizes`. */
  readonly sizes?: string | undefined
  /** Instead of this clone. */
  readonly repository?: string
  /** Lends a server of ours, as its superuser. */
  readonly withServer?: typeof withScratchServer
}

/**
 * What head does to base. Changes nothing but databases of its own, on a server of its own.
 *
 * @throws Failure when one of the two cannot be made or looked at; there is no half report.
 */
export async function compare(request: Request): Promise<Report> {
  const [base, head] = await Promise.all([readSide(request, 'base'), readSide(request, 'head')])
  if (!('target' in base) && !('target' in head)) return compareSnapshots(base, head, request)
  return compareDatabases(base, head, request)
}

async function readSide({ repository = root, ...request }: Request, side: 'base' | 'head'): Promise<Side> {
  const name = request[side]
  if (name === undefined) return side === 'base' ? defaultBase(repository) : workTree(repository)
  if (name === 'DATABASE_URL') return databaseOf(await resolveTarget())
  // No ref has this in it.
  if (name.includes('://')) return databaseOf(parseDatabaseUrl(name))
  return snapshotOf(repository, name)
}

const databaseOf = (target: Target): Database => ({ target, label: target.label })

async function compareSnapshots(base: Snapshot, head: Snapshot, request: Request): Promise<Report> {
  const { repository = root, withServer = withScratchServer } = request
  const sizes = request.sizes === undefined ? {} : await readSizes(request.sizes)
  const reading = mergeBase(repository, base, head).then((origin) => compareFiles(base, origin, head))
  const linting = reading.then(({ added }) => lint(added))
  const sources = { base: base.types, head: head.types }
  const rehearsing = withServer((admin) => rehearse(admin, reading, base.label, sources))
  const [seen, linted, files] = await allEnded([rehearsing, linting, reading] as const)
  return finish({
    base: base.label,
    head: head.label,
    leftOut: [],
    files: {
      added: files.added.map((migration) => ({
        file: fileName(migration),
        transaction: migration.transaction,
        isCommitted: !head.uncommitted.includes(fileName(migration)),
        down: seen.trip.downs.get(fileName(migration))!,
      })),
      ahead: files.ahead,
    },
    changes: seen.changes,
    remaining: seen.remaining,
    cells: compareCells(seen.base, seen.head, seen.matching),
    locks: seen.measured.map((one) => ({ ...one, sizes: sizesOf(one, sizes) })),
    lint: { ...linted, advice: seen.advice },
    types: seen.types,
    rollback: { afterDown: seen.trip.afterDown, afterUp: seen.trip.afterUp, losses: seen.trip.losses },
  }, seen, files.added)
}

/** What follows from what was seen. */
function finish(known: Seen, pair: Pair, added: readonly Migration[]): Report {
  const { base, head, ...rest } = known
  const reasons = judgeReport(known)
  const verdict = verdictOf(reasons)
  const notes = notesFor(known, verdict, added)
  const drawing = picture(pair.base, pair.head, pair.changes)
  return { format: 1, base, head, verdict, reasons, ...rest, notes, drawing }
}

async function compareDatabases(base: Side, head: Side, { withServer = withScratchServer }: Request): Promise<Report> {
  const seen = await observeDatabases(base, head, withServer)
  return finish({
    base: base.label,
    head: head.label,
    leftOut: seen.leftOut,
    files: null,
    changes: seen.changes,
    remaining: seen.remaining,
    cells: compareCells(seen.base, seen.head, seen.matching),
    locks: null,
    lint: null,
    types: seen.types,
    rollback: null,
  }, seen, [])
}

// --- Sizes

async function readSizes(file: string): Promise<Sizes> {
  try {
    const sizes = JSON.parse(await readFile(file, 'utf8')) as Record<string, Size>
    const isSize = (one: Size) => typeof one?.rows === 'number' && typeof one.bytes === 'number'
    if (Object.values(sizes).every(isSize)) return sizes
  } catch (cause) {
    throw new Failure(`${basename(file)} cannot be read as JSON`, 'write it by `make sizes file=sizes.json`', { cause })
  }
  throw new Failure(`${basename(file)} is no file of sizes`, 'write it by `make sizes file=sizes.json`')
}

type Sizes = Readonly<Record<string, Size>>

function sizesOf({ effects }: Pick<MeasuredFile, 'effects'>, sizes: Sizes): Sizes {
  const tables = [...new Set(effects.flatMap(({ locks }) => locks.map(({ table }) => table)))].sort()
  return Object.fromEntries(tables.flatMap((table) => (sizes[table] ? [[table, sizes[table]]] : [])))
}
