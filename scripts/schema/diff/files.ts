import { Failure } from '../../core/failure.ts'
import { fileName, readMigrations, type Migration } from '../../migrate/migrations.ts'
import { withFiles, type Snapshot } from './git.ts'

export interface NewFile {
  readonly file: string
  readonly version: string
  /** Whether it runs in a transaction. */
  readonly transaction: boolean
  readonly isCommitted: boolean
}

/** The migrations of base, and what head adds to them. */
export interface Files {
  readonly base: readonly Migration[]
  readonly added: readonly Migration[]
  /** Files of base that the branch does not have yet: head is what merging it makes. */
  readonly ahead: readonly string[]
}

/**
 * What head adds to base.
 *
 * @param origin where the two parted.
 * @throws Failure when `make migrate` would refuse the outcome, or could not read it.
 */
export async function compareFiles(base: Snapshot, origin: Snapshot, head: Snapshot): Promise<Files> {
  const edited = [...head.files].filter(([name, text]) => {
    const [was, parted] = [base.files.get(name), origin.files.get(name)]
    return was !== undefined && text !== was && text !== parted
  })
  refuse(
    edited.map(([name]) => name),
    `edited, though ${base.label} has them`,
    `restore them (\`git checkout ${base.commit.slice(0, 7)} -- <file>\`) and put the change in a new migration`,
  )
  const missing = [...base.files.keys()].filter((name) => !head.files.has(name))
  refuse(
    missing.filter((name) => origin.files.has(name)),
    `deleted or renamed, though ${base.label} has them`,
    'bring them back, and undo what they did in a new migration',
  )
  const added = new Map([...head.files].filter(([name]) => !base.files.has(name)))
  const [old, fresh] = [await read(base.files), await read(added)]
  const names = new Map(old.map((migration) => [migration.version, fileName(migration)]))
  refuse(
    fresh.flatMap((one) => (names.has(one.version) ? [`${fileName(one)} (that of ${names.get(one.version)})`] : [])),
    'whose version is taken',
    'give them new timestamps: `make new name=…` makes files to move them into',
  )
  const newest = old.at(-1)?.version ?? ''
  refuse(
    fresh.filter(({ version }) => version < newest).map(fileName),
    `out of order: ${base.label} has newer ones, and \`make migrate\` would refuse them`,
    'give them newer timestamps: `make new name=…` makes files to move them into',
  )
  return { base: old, added: fresh, ahead: missing }
}

const read = (files: ReadonlyMap<string, string>): Promise<Migration[]> => withFiles(files, readMigrations)

function refuse(names: readonly string[], what: string, remedy: string): void {
  if (names.length === 0) return
  const more = names.length > 3 ? ` and ${names.length - 3} more` : ''
  throw new Failure(`migrations ${what}: ${names.slice(0, 3).join(', ')}${more}`, remedy)
}
