import { existsSync, readdirSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { posix } from 'node:path'
import { fromRoot } from '../core/paths.ts'
import { outputOf } from './compile.ts'

/** The run-time dependencies of each source: other sources, and files that it reads by a path in its text. */
export type ImportGraph = ReadonlyMap<string, ReadonlySet<string>>

/** Imports every command. Its imports are not followed to the commands; tests name the commands that they run. */
const dispatcher = 'scripts/leo.ts'
const commands = 'scripts/commands'

/** Reads the compiled files, which have no type imports. */
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

/** Returns `changed` and the sources that depend on one of them, directly or indirectly. */
export function dependentsOf(graph: ImportGraph, changed: Iterable<string>): Set<string> {
  const found = new Set(changed)
  for (const path of found) {
    for (const [source, needs] of graph) if (needs.has(path)) found.add(source)
  }
  return found
}

interface Import {
  readonly path: string
  /** The exported names; `undefined` means all. */
  readonly names: readonly string[] | undefined
}

/** Import and export statements as esbuild writes them. */
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

/** Parses `a, b as c` into pairs of both names. */
const namesIn = (list: string): (readonly [name: string, as: string])[] =>
  list.split(',').map((part) => part.trim()).filter(Boolean).map((part) => {
    const [name, as] = part.split(' as ')
    return [name!, as ?? name!] as const
  })

/** A module that only re-exports. Its importers depend on the modules of the names that they import. */
interface Barrel {
  readonly byName: ReadonlyMap<string, string>
  /** The modules that it re-exports completely. */
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

/** Finds `new URL('./worker', import.meta.url)`, `fromRoot('db', 'schema.sql')`, and paths relative to the repository. */
function pathsIn(code: string, source: string): string[] {
  const urls = [...code.matchAll(/new URL\(\s*["'`]([\w./-]+)[^,]*,\s*import\.meta\.url/g)].map(([, path]) =>
    posix.join(posix.dirname(source), path!),
  )
  const joined = [...code.matchAll(/fromRoot\(((?:\s*"[^"]*",?)+)/g)].map(([, args]) =>
    posix.join(...[...args!.matchAll(/"([^"]*)"/g)].map(([, part]) => part!)).replace(/^build\//, ''),
  )
  return [...urls, ...joined, ...[...code.matchAll(/"(?!\.{1,2}\/)([\w.-]+(?:\/[\w.-]+)*\.\w+)"/g)].map(([, path]) => path!)]
}

/** Finds the commands that a file runs by name: `runScript(database, 'verify')`, `scriptOf('commands/backfill')`. */
function commandsIn(code: string): string[] {
  if (!/runScript|scriptOf|commands|leo\.js/.test(code)) return []
  return [...code.matchAll(/["`](?:commands\/)?([a-z][a-z-]*)(?:\.js)?["`]/g)].map(([, name]) => `${commands}/${name}`)
}

/** Resolves a path in a text to files of the repository. It may lack the extension, have that of the output, or be a folder. */
function filesOfRoot(): { find(path: string): string[] } {
  const known = new Map<string, string[]>()
  const resolve = (path: string): string[] => {
    for (const each of [path.replace(/\.js$/, '.ts'), `${path}.ts`, path].map((name) => fromRoot(name))) {
      const found = existsSync(each) ? statSync(each) : undefined
      if (found?.isFile()) return [posix.relative(fromRoot(), each)]
      // The sources directly in the folder: folders such as db have too many below. A test names its commands one by one.
      if (found && path === commands) return []
      if (found) return readdirSync(each).filter((name) => name.endsWith('.ts')).map((name) => posix.join(path, name))
    }
    return []
  }
  return {
    find(path) {
      if (!known.has(path)) known.set(path, resolve(path))
      return known.get(path)!
    },
  }
}
