import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, normalize } from 'node:path'
import t from 'tap'
import ts from 'typescript'
import { fromRoot } from '../../scripts/core/paths.ts'

/** The folders of scripts, the lowest first. Each may import from those before it. */
const layers = ['core', 'postgres', 'migrate', 'schema', 'operate'] as const

/** Folders above the layers. Only the command line and their own tests import them. */
const above = { 'scripts/upgrade': ['test/upgrade', 'test/full'], 'scripts/bench': ['test/full'] } as const

/** The top-level folders that each top-level folder may import from, besides itself. */
const tops: Readonly<Record<string, readonly string[]>> = {
  types: [],
  db: ['types'],
  scripts: ['db', 'types'],
  test: ['db', 'types', 'scripts'],
}

/**
 * The benchmark uses the emulation of KMS of the tests. The test of verify also verifies an adopted database.
 */
const exceptions: readonly string[] = [
  'scripts/bench/secrets/endpoint.ts → test/fixtures/kms.ts',
  'scripts/bench/suites/secrets.ts → test/fixtures/kms.ts',
  'test/schema/verify.test.ts → scripts/upgrade/adopt/adopt.ts',
  'test/schema/verify.test.ts → scripts/upgrade/adopted.ts',
]

type Files = ReadonlyMap<string, string>

const isIn = (path: string, folder: string): boolean => path.startsWith(`${folder}/`)
const isCommandLine = (path: string): boolean => path === 'scripts/leo.ts' || isIn(path, 'scripts/commands')

/** The imported files of each file, by path, including type imports and `import()`. */
function readImports(files: Files): Map<string, string[]> {
  const imports = [...files].map(([path, text]): [string, string[]] => {
    const found = ts.preProcessFile(text, true, false).importedFiles.map(({ fileName }) => fileName)
    const relative = found.filter((name) => name.startsWith('.')).map((name) => normalize(join(dirname(path), name)))
    return [path, [...new Set(relative)].filter((name) => name.endsWith('.ts'))]
  })
  return new Map(imports)
}

/** The imports that the rules forbid, each as `from → to`. */
function findViolations(files: Files): string[] {
  const violations: string[] = []
  for (const [from, imported] of readImports(files)) {
    for (const to of imported) if (!isAllowed(from, to)) violations.push(`${from} → ${to}`)
  }
  return violations
}

function isAllowed(from: string, to: string): boolean {
  const [fromTop, toTop] = [from.split('/')[0]!, to.split('/')[0]!]
  if (fromTop !== toTop && !tops[fromTop]?.includes(toTop)) return false
  if (isCommandLine(to)) return isCommandLine(from) || fromTop === 'test'
  for (const [folder, tests] of Object.entries(above)) {
    if (isIn(to, folder)) return isIn(from, folder) || isCommandLine(from) || tests.some((test) => isIn(from, test))
  }
  const [fromLayer, toLayer] = [from, to].map((path) => layers.findIndex((layer) => isIn(path, `scripts/${layer}`)))
  return fromLayer === -1 || toLayer! <= fromLayer!
}

/** Groups of files that import each other, directly or indirectly. */
function findCircles(files: Files): string[][] {
  const imports = readImports(files)
  const [order, low, stack, circles] = [new Map<string, number>(), new Map<string, number>(), [] as string[], [] as string[][]]
  // Tarjan's algorithm.
  const visit = (file: string): void => {
    order.set(file, order.size)
    low.set(file, order.get(file)!)
    stack.push(file)
    for (const next of imports.get(file) ?? []) {
      if (!imports.has(next)) continue
      if (!order.has(next)) visit(next)
      else if (!stack.includes(next)) continue
      low.set(file, Math.min(low.get(file)!, low.get(next)!))
    }
    if (low.get(file) !== order.get(file)) return
    const group = stack.splice(stack.indexOf(file))
    if (group.length > 1 || imports.get(file)!.includes(file)) circles.push(group.sort())
  }
  for (const file of imports.keys()) if (!order.has(file)) visit(file)
  return circles
}

const sources: Files = new Map(
  await Promise.all(
    Object.keys(tops).map(async (top) => {
      const paths = (await readdir(fromRoot(top), { recursive: true })).filter((path) => path.endsWith('.ts') && !path.includes('node_modules'))
      return Promise.all(paths.map(async (path): Promise<[string, string]> => [`${top}/${path}`, await readFile(fromRoot(top, path), 'utf8')]))
    }),
  ).then((lists) => lists.flat()),
)

t.test('imports go one way', (t) => {
  t.ok(sources.size > 300)
  t.strictSame(findViolations(sources).sort(), [...exceptions].sort())
  t.end()
})

t.test('no files import each other in a circle', (t) => {
  t.strictSame(findCircles(sources), [])
  t.end()
})

t.test('the check finds a violation of each kind', (t) => {
  const violations = (from: string, text: string) => findViolations(new Map([[from, text]])).length
  const bad: readonly [from: string, text: string][] = [
    ['scripts/core/a.ts', `import { b } from '../postgres/b.ts'`],
    ['scripts/schema/x/a.ts', `import type { B } from '../../operate/b.ts'`],
    ['scripts/migrate/a.ts', `export * from '../schema/b.ts'`],
    ['scripts/schema/a.ts', `const { b } = await import('../operate/b.ts')`],
    ['scripts/operate/a.ts', `import '../upgrade/b.ts'`],
    ['scripts/upgrade/a.ts', `import { b } from '../bench/b.ts'`],
    ['scripts/operate/a.ts', `import { command } from '../commands/b.ts'`],
    ['test/schema/a.test.ts', `import { b } from '../../scripts/upgrade/b.ts'`],
    ['scripts/core/a.ts', `import { b } from '../../test/fixtures/b.ts'`],
    ['db/a.ts', `import { b } from '../scripts/core/b.ts'`],
    ['types/a.ts', `import type { B } from '../db/b.ts'`],
  ]
  for (const [from, text] of bad) t.equal(violations(from, text), 1, `${from}: ${text}`)
  const good: readonly [from: string, text: string][] = [
    ['scripts/operate/a.ts', `import { b } from '../core/b.ts'\nimport { c } from './c.ts'\nimport pg from 'pg'`],
    ['scripts/commands/a.ts', `const { b } = await import('../upgrade/b.ts')`],
    ['scripts/upgrade/a.ts', `import { b } from '../operate/b.ts'`],
    ['test/upgrade/a.test.ts', `import { b } from '../../scripts/upgrade/b.ts'`],
    ['scripts/core/a.ts', `// import { b } from '../operate/b.ts'`],
    ['db/a.ts', `import type { B } from '../types/b.ts'`],
  ]
  for (const [from, text] of good) t.equal(violations(from, text), 0, `${from}: ${text}`)

  const circle = new Map([
    ['db/a.ts', `import { b } from './b.ts'`],
    ['db/b.ts', `import type { C } from './c.ts'`],
    ['db/c.ts', `export const a = () => import('./a.ts')`],
    ['db/d.ts', `import './a.ts'`],
    ['db/e.ts', `export * from './e.ts'`],
  ])
  t.strictSame(findCircles(circle), [['db/a.ts', 'db/b.ts', 'db/c.ts'], ['db/e.ts']])
  t.end()
})
