import { build, stop, version } from 'esbuild'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { claim, commandLine } from '../../db/testing/claims.ts'
import { Failure } from '../core/failure.ts'
import { fromRoot, root } from '../core/paths.ts'

const outputs = fromRoot('build')
const manifestFile = join(outputs, 'compiled.json')

/** The hash of each source that `build/` holds the output of. */
type Manifest = Record<string, string>

/** Paths from the repository's folder of the TypeScript that tsconfig.json includes. */
export async function listSources(): Promise<string[]> {
  const { exclude, include } = JSON.parse(await readFile(fromRoot('tsconfig.json'), 'utf8')) as Record<string, string[]>
  const isExcluded = (path: string): boolean =>
    path.includes('node_modules') || exclude!.some((folder) => path.startsWith(`${folder}/`))
  const lists = await Promise.all(
    include!.map(async (folder) => {
      const paths = await readdir(fromRoot(folder), { recursive: true })
      return paths.map((path) => `${folder}/${path}`).filter((path) => /(?<!\.d)\.ts$/.test(path) && !isExcluded(path))
    }),
  )
  return lists.flat().sort()
}

/**
 * Brings `build/` up to date: compiles the sources whose content changed, without checking types, and removes the output of
 * those that are gone, which would still pass. Two runs at once are safe: a file appears under its name when it is complete.
 *
 * @returns how many were compiled.
 */
export async function compile(sources: readonly string[]): Promise<number> {
  const settings = `${version}\n${await readFile(fromRoot('tsconfig.json'), 'utf8')}`
  const hashes = Object.fromEntries(
    await Promise.all(
      sources.map(async (path) => [path, hash(settings, await readFile(fromRoot(path))) as string] as const),
    ),
  )
  const before = await readManifest()
  const changed = sources.filter((path) => before[path] !== hashes[path] || !existsSync(outputOf(path)))
  if (changed.length > 0) await transpile(changed)
  await removeStale(new Set(sources), before)
  const isSame = changed.length === 0 && Object.keys(before).length === sources.length
  if (!isSame) await writeWhole(manifestFile, Buffer.from(JSON.stringify(hashes)))
  return changed.length
}

export const outputOf = (source: string): string => join(outputs, source.replace(/ts$/, 'js'))

async function transpile(sources: readonly string[]): Promise<void> {
  try {
    const { outputFiles } = await build({
      ...{ absWorkingDir: root, entryPoints: [...sources], outbase: root, outdir: outputs, write: false },
      ...{ format: 'esm', platform: 'node', target: 'es2022', sourcemap: 'linked', logLevel: 'silent' },
      // A bundle of one file each, all imports external: the way to have `.ts` in them replaced, as tsc does.
      ...{ bundle: true, treeShaking: false },
      plugins: [
        {
          name: 'external imports',
          setup: ({ onResolve }) =>
            onResolve({ filter: /./ }, ({ kind, path }) =>
              kind === 'entry-point'
                ? undefined
                : { path: path.startsWith('.') ? path.replace(/\.ts$/, '.js') : path, external: true },
            ),
        },
      ],
    })
    await Promise.all(outputFiles.map(({ path, contents }) => writeWhole(path, contents)))
  } catch (cause) {
    if (!(cause instanceof Error && 'errors' in cause)) throw cause
    throw new Failure(cause.message.replace(/^Build failed.*:\n/, ''), 'correct the syntax', { cause })
  } finally {
    await stop()
  }
}

/** What a test compiles into the folder while it runs is in no manifest, and stays. */
async function removeStale(sources: ReadonlySet<string>, before: Manifest): Promise<void> {
  const { include } = JSON.parse(await readFile(fromRoot('tsconfig.json'), 'utf8')) as { include: string[] }
  // Without a manifest, what tsc has compiled once.
  const isFirst = Object.keys(before).length === 0
  for (const folder of include.map((name) => join(outputs, name)).filter(existsSync)) {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name)
      const [, output, writer] = /^(.*?)\.js(?:\.map)?(?:-(\d+)-[0-9a-f]{8})?$/.exec(relative(outputs, path)) ?? []
      if (!entry.isFile() || output === undefined) continue
      const isStale = writer === undefined
        ? !sources.has(`${output}.ts`) && (isFirst || `${output}.ts` in before)
        : commandLine(Number(writer)) === ''
      if (isStale) await rm(path, { force: true })
    }
  }
}

async function readManifest(): Promise<Manifest> {
  try {
    return JSON.parse(await readFile(manifestFile, 'utf8')) as Manifest
  } catch {
    // Not there yet, or cut off: everything is compiled.
    return {}
  }
}

async function writeWhole(path: string, contents: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const unfinished = claim(path)
  await writeFile(unfinished, contents)
  await rename(unfinished, path)
}

const hash = (...parts: (string | Uint8Array)[]): string =>
  parts.reduce((sum, part) => sum.update(part), createHash('sha256')).digest('hex')
