import { basename } from 'node:path'
import { Failure } from '../core/failure.ts'
import { readChanges } from './changes.ts'
import { outputOf } from './compile.ts'
import { coreTests, sameOnEveryMajor } from './core-tests.ts'
import { dependentsOf, readImportGraph } from './import-graph.ts'
import type { TestFile } from './tap-file.ts'

export interface Selection {
  readonly files: readonly TestFile[]
  /** The number of selected files, the total, and the reason. */
  readonly summary: string
}

const isLong = (source: string): boolean => source.startsWith('test/full/')

const testsOf = (sources: readonly string[]): TestFile[] =>
  sources
    .filter((source) => /^test\/.*\.test\.ts$/.test(source))
    .map((source) => ({ source, name: nameOf(source), compiled: outputOf(source) }))

/** `apps`; for a long test `full/apps`, because a short one may have the same name. */
const nameOf = (source: string): string => `${isLong(source) ? 'full/' : ''}${basename(source, '.test.ts')}`

/** Selects the named files. */
export function selectNamed(sources: readonly string[], names: readonly string[]): Selection {
  const tests = testsOf(sources)
  const unknown = names.filter((name) => !tests.some((test) => test.name === name))
  if (unknown.length > 0) {
    throw new Failure(`no test file is named ${unknown.join(', ')}`, 'use the name of a file in test/, such as apps or full/diff')
  }
  return summed(tests.filter(({ name }) => names.includes(name)), 'by name')
}

/** Selects the long tests. */
export const selectLong = (sources: readonly string[]): Selection =>
  summed(testsOf(sources).filter(({ source }) => isLong(source)), 'the long proofs')

/** Selects all tests except the long ones; on another major version without tests whose result is the same there. */
export function selectAll(sources: readonly string[], isOwnMajor: boolean): Selection {
  const tests = testsOf(sources).filter(({ source }) => !isLong(source))
  return summed(tests.filter(({ name }) => isOwnMajor || !sameOnEveryMajor.includes(name)), 'all')
}

/** Selects the core tests, and the tests that changes of the work tree can affect. */
export async function selectAffected(sources: readonly string[]): Promise<Selection> {
  const tests = testsOf(sources).filter(({ source }) => !isLong(source))
  const missing = coreTests.filter((name) => !tests.some((test) => test.name === name))
  if (missing.length > 0) throw new Error(`scripts/test-runner/core-tests.ts names ${missing.join(', ')}, which do not exist`)
  const { base, paths } = await readChanges()
  const graph = await readImportGraph(sources)
  const dependents = dependentsOf(graph, paths)
  const areas = paths.map((path) => [path, areaOf(path)] as const)
  const unknown = areas.find(([, area]) => area === 'everything')?.[0]
  const isAffected = ({ source }: TestFile): boolean =>
    unknown !== undefined || dependents.has(source) || areas.some(([, area]) => area instanceof RegExp && area.test(source))
  const affected = tests.filter((test) => isAffected(test) && !coreTests.includes(test.name))
  const files = tests.filter((test) => coreTests.includes(test.name) || affected.includes(test))
  const since = base === undefined ? 'no git repository to find changes in' : `changes since ${base}`
  const why = unknown === undefined ? since : `${unknown} changed`
  const length = affected.length > 15 ? ', which takes more than a minute' : ''
  return {
    files,
    summary:
      `running ${files.length} of ${tests.length} files: core ${coreTests.length}, affected ${affected.length} (${why})${length}; ` +
      'all: make test all=1',
  }
}

/** The tests of the database schema. */
const schemaTests = /^test\/(database|queries)\/|\/(migrations|schema_file|session|sample)\.test\.ts$/

/** The tests that a change of a file affects, in addition to those that import it or read it by its path. */
const areas: readonly (readonly [path: RegExp, area: 'dependents' | RegExp])[] = [
  [/^db\/(migrations|supabase)\/|^db\/schema\.sql$/, schemaTests],
  // This covers a deleted source: the sources that imported it have changed.
  [/^(db|types|scripts|test)\/.*\.ts$|^db\/settings\.txt$/, 'dependents'],
  [/\.md$|^LICENSE$|^\.(ci|github)\/|^\.(editorconfig|gitattributes|gitignore)$/, 'dependents'],
]

const areaOf = (path: string): 'everything' | 'dependents' | RegExp =>
  areas.find(([pattern]) => pattern.test(path))?.[1] ?? 'everything'

const summed = (files: readonly TestFile[], what: string): Selection => ({
  files,
  summary: `running ${files.length} ${files.length === 1 ? 'file' : 'files'}: ${what}`,
})
