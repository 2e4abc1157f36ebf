import { Failure } from '../../core/failure.ts'
import { fileName, readMigrations, type Migration } from '../../migrate/migrations.ts'
import { withFiles, type Snapshot } from './git.ts'

/** The migrations of base, and those that head adds. */
export interface Files {
  readonly base: readonly Migration[]
  readonly added: readonly Migration[]
  /** Migrations of base that the branch does not have yet. They are applied too, as a merge would. */
  readonly ahead: readonly string[]
}

/**
 * Finds the migrations that head adds to base.
 *
 * @param origin the merge base of the two.
 * @throws Failure when `make migrate` would refuse the merged migrations, or could not read them.
 */
export async function compareFiles(base: Snapshot, origin: Snapshot, head: Snapshot): Promise<Files> {
  const edited = [...head.files].filter(([name, text]) => {
    const [textInBase, textInOrigin] = [base.files.get(name), origin.files.get(name)]
    return textInBase !== undefined && text !== textInBase && text !== textInOrigin
  })
  refuse(
    edited.map(([name]) => name),
    `that ${base.label} already has were edited`,
    `restore them (\`git checkout ${base.commit.slice(0, 7)} -- <file>\`) and make the change in a new migration`,
  )
  const missing = [...base.files.keys()].filter((name) => !head.files.has(name))
  refuse(
    missing.filter((name) => origin.files.has(name)),
    `that ${base.label} already has were deleted or renamed`,
    'restore them, and undo their effect in a new migration',
  )
  const added = new Map([...head.files].filter(([name]) => !base.files.has(name)))
  const [old, fresh] = [await read(base.files), await read(added)]
  const names = new Map(old.map((migration) => [migration.version, fileName(migration)]))
  refuse(
    fresh.flatMap((one) => (names.has(one.version) ? [`${fileName(one)} (used by ${names.get(one.version)})`] : [])),
    'use a version that is taken',
    'create files with new timestamps (`make new name=…`) and move the contents there',
  )
  const newest = old.at(-1)?.version ?? ''
  refuse(
    fresh.filter(({ version }) => version < newest).map(fileName),
    `are out of order: ${base.label} has newer ones, so \`make migrate\` would refuse them`,
    'create files with new timestamps (`make new name=…`) and move the contents there',
  )
  return { base: old, added: fresh, ahead: missing }
}

const read = (files: ReadonlyMap<string, string>): Promise<Migration[]> => withFiles(files, readMigrations)

function refuse(names: readonly string[], problem: string, remedy: string): void {
  if (names.length === 0) return
  const more = names.length > 3 ? ` and ${names.length - 3} more` : ''
  throw new Failure(`migrations ${problem}: ${names.slice(0, 3).join(', ')}${more}`, remedy)
}
