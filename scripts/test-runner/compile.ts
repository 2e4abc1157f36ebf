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

/** The hash of each source whose output is in `build/`. */
type Manifest = Record<string, string>

/** Lists the TypeScript files that tsconfig.json includes, relative to the repository's folder. */
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
 * Updates `build/`: compiles the sources whose content changed, without checking types, and removes the output of deleted
 * sources, because deleted tests would still run. Concurrent runs are safe: a file gets its name when it is complete.
 *
 * @returns the number of compiled sources.
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
  if (!isSame) await writeAtomically(manifestFile, Buffer.from(JSON.stringify(hashes)))
  return changed.length
}

export const outputOf = (source: string): string => join(outputs, source.replace(/ts$/, 'js'))

async function transpile(sources: readonly string[]): Promise<void> {
  try {
    const { outputFiles } = await build({
      ...{ absWorkingDir: root, entryPoints: [...sources], outbase: root, outdir: outputs, write: false },
      ...{ format: 'esm', platform: 'node', target: 'es2022', sourcemap: 'linked', logLevel: 'silent' },
      // Bundles of one file with external imports: esbuild replaces `.ts` in import paths only when it bundles.
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
    await Promise.all(outputFiles.map(({ path, contents }) => writeAtomically(path, contents)))
  } catch (cause) {
    if (!(cause instanceof Error && 'errors' in cause)) throw cause
    throw new Failure(cause.message.replace(/^Build failed.*:\n/, ''), 'correct the syntax', { cause })
  } finally {
    await stop()
  }
}

/** Removes the output of deleted sources. Files that a running test compiles are not in the manifest and are kept. */
async function removeStale(sources: ReadonlySet<string>, before: Manifest): Promise<void> {
  const { include } = JSON.parse(await readFile(fromRoot('tsconfig.json'), 'utf8')) as { include: string[] }
  // Without a manifest, the folder may contain earlier output of tsc.
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
    // Missing or incomplete: all sources are compiled.
    return {}
  }
}

async function writeAtomically(path: string, contents: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const unfinished = claim(path)
  await writeFile(unfinished, contents)
  await rename(unfinished, path)
}

const hash = (...parts: (string | Uint8Array)[]): string =>
  parts.reduce((sum, part) => sum.update(part), createHash('sha256')).digest('hex')
