import { existsSync, readdirSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { posix } from 'node:path'
import { fromRoot } from '../core/paths.ts'
import { outputOf } from './compile.ts'

/** What each source needs at run time: other sources, and files that it reads by a path in its text. */
export type ImportGraph = ReadonlyMap<string, ReadonlySet<string>>

/** It starts every command, so its imports do not tell which command a test is of: the tests name that. */
const dispatcher = 'scripts/leo.ts'
const commands = 'scripts/commands'

/** From the compiled files, which have no imports of types. */
export async function readImportGraph(sources: readonly string[]): Promise<ImportGraph> {
  return importGraph(new Map(await Promise.all(
    sources.map(async (source) => [source, await readFile(outputOf(source), 'utf8')] as const),
  )))
}

/** @param codes the compiled text of each source. */
export function importGraph(codes: ReadonlyMap<string, string>): ImportGraph {
  const files = filesOfRoot()
  const barrels = new Map([...codes].flatMap(([source, code]) => {
    const barrel = barrelIn(code, source)
    return barrel ? [[source, barrel] as const] : []
  }))
  const needsOf = (source: string, code: string): string[] => {
    if (barrels.has(source)) return []
    const named = importsIn(code, source).flatMap(({ names, path }) => {
      const barrel = barrels.get(path)
      return barrel ? [path, ...throughBarrel(barrel, names)] : [path]
    })
    const read = [...pathsIn(code, source), ...commandsIn(code)].flatMap((path) => {
      const found = files.find(path)
      return [...found, ...found.flatMap((each) => throughBarrel(barrels.get(each)))]
    })
    const all = [...named, ...read]
    return source === dispatcher ? all.filter((path) => !path.startsWith(`${commands}/`)) : all
  }
  return new Map([...codes].map(([source, code]) => [source, new Set(needsOf(source, code))]))
}

/** `changed` and the sources that need one of them, directly or not. */
export function dependentsOf(graph: ImportGraph, changed: Iterable<string>): Set<string> {
  const found = new Set(changed)
  for (const path of found) {
    for (const [source, needs] of graph) if (needs.has(path)) found.add(source)
  }
  return found
}

interface Import {
  readonly path: string
  /** As the module exports them; `undefined` for all. */
  readonly names: readonly string[] | undefined
}

/** As esbuild writes them. */
const statement = /^(?:import|export) (?:(?:\{([^}]*)\}|\*(?: as (\w+))?|(\w+)) from )?"(\.[^"]+)";$/gm

function importsIn(code: string, source: string): Import[] {
  const at = (path: string): string => posix.join(posix.dirname(source), path).replace(/\.js$/, '.ts')
  return [
    ...[...code.matchAll(statement)].map(([, list, , only, path]) => ({
      path: at(path!),
      names: list === undefined ? (only === undefined ? undefined : ['default']) : namesIn(list).map(([name]) => name),
    })),
    ...[...code.matchAll(/\bimport\("(\.[^"]+)"\)/g)].map(([, path]) => ({ path: at(path!), names: undefined })),
  ]
}

/** `a, b as c` as pairs of both names. */
const namesIn = (list: string): (readonly [name: string, as: string])[] =>
  list.split(',').map((part) => part.trim()).filter(Boolean).map((part) => {
    const [name, as] = part.split(' as ')
    return [name!, as ?? name!] as const
  })

/** A module that only passes on what others export: which needs what depends on the names that are imported from it. */
interface Barrel {
  readonly byName: ReadonlyMap<string, string>
  /** Those whose every export it passes on. */
  readonly whole: readonly string[]
}

function barrelIn(code: string, source: string): Barrel | undefined {
  const rest = code.replace(statement, '').replace(/^export \{[^}]*\};$/gm, '').replace(/^\/\/.*$/gm, '')
  if (rest.trim() !== '' || !/^export /m.test(code)) return undefined
  const at = (path: string): string => posix.join(posix.dirname(source), path).replace(/\.js$/, '.ts')
  const local = new Map<string, string>()
  const whole: string[] = []
  for (const [text, list, namespace, only, path] of code.matchAll(statement)) {
    if (text.startsWith('export *')) whole.push(at(path!))
    for (const [, as] of namesIn(list ?? '')) local.set(as, at(path!))
    for (const name of [namespace, only]) if (name !== undefined) local.set(name, at(path!))
  }
  const exported = [...code.matchAll(/^export \{([^}]*)\};$/gm)].flatMap(([, list]) => namesIn(list!))
  return { byName: new Map(exported.flatMap(([name, as]) => (local.has(name) ? [[as, local.get(name)!]] : []))), whole }
}

const throughBarrel = (barrel: Barrel | undefined, names?: readonly string[]): string[] =>
  barrel
    ? [...barrel.whole, ...[...barrel.byName].filter(([name]) => names?.includes(name) ?? true).map(([, path]) => path)]
    : []

/** `new URL('./worker', import.meta.url)`, `fromRoot('db', 'schema.sql')`, and paths from the repository's folder. */
function pathsIn(code: string, source: string): string[] {
  const urls = [...code.matchAll(/new URL\(\s*["'`]([\w./-]+)[^,]*,\s*import\.meta\.url/g)].map(([, path]) =>
    posix.join(posix.dirname(source), path!),
  )
  const joined = [...code.matchAll(/fromRoot\(((?:\s*"[^"]*",?)+)/g)].map(([, args]) =>
    posix.join(...[...args!.matchAll(/"([^"]*)"/g)].map(([, part]) => part!)).replace(/^build\//, ''),
  )
  return [...urls, ...joined, ...[...code.matchAll(/"(?!\.{1,2}\/)([\w.-]+(?:\/[\w.-]+)*\.\w+)"/g)].map(([, path]) => path!)]
}

/** The commands that a file runs, which it names: `runScript(database, 'verify')`, `scriptOf('commands/backfill')`. */
function commandsIn(code: string): string[] {
  if (!/runScript|scriptOf|commands|leo\.js/.test(code)) return []
  return [...code.matchAll(/["`](?:commands\/)?([a-z][a-z-]*)(?:\.js)?["`]/g)].map(([, name]) => `${commands}/${name}`)
}

/** Finds the files of the repository that a text can mean: without an extension, with that of the output, or a folder. */
function filesOfRoot(): { find(path: string): string[] } {
  const known = new Map<string, string[]>()
  const look = (path: string): string[] => {
    for (const each of [path.replace(/\.js$/, '.ts'), `${path}.ts`, path].map((name) => fromRoot(name))) {
      const found = existsSync(each) ? statSync(each) : undefined
      if (found?.isFile()) return [posix.relative(fromRoot(), each)]
      // The sources in it; not those below it, which a folder such as db has too many of. Of commands a test names its own.
      if (found && path === commands) return []
      if (found) return readdirSync(each).filter((name) => name.endsWith('.ts')).map((name) => posix.join(path, name))
    }
    return []
  }
  return {
    find(path) {
      if (!known.has(path)) known.set(path, look(path))
      return known.get(path)!
    },
  }
}
