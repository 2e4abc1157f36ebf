import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { Failure } from '../../core/failure.ts'
import { fromRoot } from '../../core/paths.ts'
import type { TypesSource } from '../types/thread.ts'

export const migrationsPath = 'db/migrations'
const configPath = '.kysely-codegenrc.json'
const typesPath = 'types'

/** The migrations of a repository at one commit, or of its work tree. */
export interface Snapshot {
  /** `origin/main (3f2a91c)` */
  readonly label: string
  /** What it is, or in the work tree what it is based on. */
  readonly commit: string
  /** Name → text, with `\n` line endings. */
  readonly files: ReadonlyMap<string, string>
  /** Those of a work tree that no commit has as they are. */
  readonly uncommitted: readonly string[]
  readonly types: TypesSource
}

/** @throws Failure when there is no such commit, or no migration in it. */
export async function snapshotOf(repository: string, ref: string): Promise<Snapshot> {
  const commit = await resolve(repository, ref)
  if (commit !== undefined) return snapshot(repository, ref, commit)
  // It may be a URL that went wrong, password and all.
  const name = /[:@]/.test(ref) ? 'of that name' : ref
  throw new Failure(`there is no commit ${name}`, 'fetch it (`git fetch`), or name another: make diff BASE=main')
}

/** `origin/main`, else `main`. */
export async function defaultBase(repository: string): Promise<Snapshot> {
  for (const ref of ['origin/main', 'main']) {
    const commit = await resolve(repository, ref)
    if (commit !== undefined) return snapshot(repository, ref, commit)
  }
  throw new Failure('there is neither origin/main nor main', 'fetch it, or name the base: make diff BASE=<commit>')
}

export async function workTree(repository: string): Promise<Snapshot> {
  const commit = (await resolve(repository, 'HEAD')) ?? ''
  const files = migrationsIn(await readFolder(repository, migrationsPath))
  const status = await git(repository, ['status', '--porcelain', '--untracked-files=all', '-z', '--', migrationsPath])
  return {
    label: 'the work tree',
    commit,
    files,
    uncommitted: [...files.keys()].filter((name) => status.includes(`${migrationsPath}/${name}\0`)),
    types: typesOf(
      await readFile(join(repository, configPath), 'utf8').catch(() => undefined),
      await readFolder(repository, typesPath).catch(() => new Map<string, string>()),
    ) ?? (await ownTypes()),
  }
}

/**
 * The newest commit that both come from; `base` itself where there is none, or a shallow clone does not know it.
 *
 * @throws Failure when it would have to be known, to tell what main did meanwhile from what the branch did.
 */
export async function mergeBase(repository: string, base: Snapshot, head: Snapshot): Promise<Snapshot> {
  const found = await git(repository, ['merge-base', base.commit, head.commit]).catch(() => '')
  if (found !== '') return found.trim() === base.commit ? base : snapshot(repository, 'the merge base', found.trim())
  const isOnTop = [...base.files].every(([name, text]) => head.files.get(name) === text)
  const isShallow = (await git(repository, ['rev-parse', '--is-shallow-repository'])).trim() === 'true'
  if (isOnTop || !isShallow) return base
  throw new Failure(
    `this shallow clone does not know where ${base.label} and ${head.label} parted`,
    'fetch the rest: `git fetch --unshallow`',
  )
}

async function resolve(repository: string, ref: string): Promise<string | undefined> {
  // Asked first, for without a repository there is no commit either.
  await git(repository, ['rev-parse', '--git-dir'])
  return git(repository, ['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`]).then(
    (text) => text.trim(),
    () => undefined,
  )
}

async function snapshot(repository: string, ref: string, commit: string): Promise<Snapshot> {
  const all = await readCommit(repository, commit, [migrationsPath, typesPath, configPath])
  const files = migrationsIn(inFolder(all, migrationsPath))
  if (files.size === 0) throw new Failure(`${ref} has no ${migrationsPath}`, 'name a commit that has migrations')
  return {
    label: `${ref} (${commit.slice(0, 7)})`,
    commit,
    files,
    uncommitted: [],
    types: typesOf(all.get(configPath), inFolder(all, typesPath)) ?? (await ownTypes()),
  }
}

// --- Files

type Files = ReadonlyMap<string, string>

/** What is right in the folder. */
function inFolder(files: Files, folder: string): Files {
  const own = [...files].flatMap(([path, text]): [string, string][] =>
    dirname(path) === folder ? [[basename(path), text]] : [],
  )
  return new Map(own)
}

const migrationsIn = (files: Files): Files =>
  new Map([...files].filter(([name]) => !name.startsWith('.') && !name.endsWith('.md')))

/** Of a repository without types, or of a commit before them: none. */
function typesOf(config: string | undefined, files: Files): TypesSource | undefined {
  if (config === undefined || !files.has('index.ts')) return undefined
  return { config, written: new Map([...files].filter(([name]) => name !== 'db.ts')) }
}

/** Those of this clone. */
export async function ownTypes(): Promise<TypesSource> {
  const config = await readFile(fromRoot(configPath), 'utf8')
  return typesOf(config, await readFolder(fromRoot(), typesPath))!
}

async function readFolder(repository: string, path: string): Promise<Files> {
  const folder = join(repository, path)
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new Failure(`${path} cannot be read`, 'run this in a complete clone', { cause })
  })
  const names = entries.filter((entry) => entry.isFile()).map(({ name }) => name)
  const read = async (name: string) => [name, unixLines(await readFile(join(folder, name), 'utf8'))] as const
  return new Map(await Promise.all(names.sort().map(read)))
}

/** By path. Nothing is laid on the disk. */
async function readCommit(repository: string, commit: string, paths: readonly string[]): Promise<Files> {
  const tree = await git(repository, ['ls-tree', '-r', '-z', '--full-tree', commit, '--', ...paths])
  const blobs = tree.matchAll(/100\d{3} blob (\w+)\t([^\0]+)\0/g)
  const entries = [...blobs].map(([, id, path]) => ({ id: id!, path: path! }))
  let rest = await gitBytes(repository, ['cat-file', '--batch'], entries.map(({ id }) => `${id}\n`).join(''))
  return new Map(
    entries.map(({ path }) => {
      // `<id> blob <bytes>`, a line feed, the bytes, a line feed.
      const start = rest.indexOf('\n') + 1
      const end = start + Number(rest.toString('latin1', 0, start).split(' ')[2])
      const text = rest.toString('utf8', start, end)
      rest = rest.subarray(end + 1)
      return [path, unixLines(text)]
    }),
  )
}

const unixLines = (text: string): string => text.replaceAll('\r\n', '\n')

// --- Git

const git = async (repository: string, args: readonly string[]): Promise<string> =>
  (await gitBytes(repository, args)).toString()

async function gitBytes(repository: string, args: readonly string[], input = ''): Promise<Buffer> {
  try {
    const options = { maxBuffer: Infinity, encoding: 'buffer' } as const
    const running = promisify(execFile)('git', ['-C', repository, ...args], options)
    // It may end without reading all: then its own words are told below.
    running.child.stdin!.on('error', () => undefined).end(input)
    return (await running).stdout
  } catch (cause) {
    const { code, stderr } = cause as { code?: string | number; stderr?: Buffer }
    const said = stderr?.toString().trim() ?? ''
    if (code === 'ENOENT') throw new Failure('there is no git here', 'install it', { cause })
    if (/not a git repository/.test(said)) {
      throw new Failure('this is no clone of a git repository', 'run it in one', { cause })
    }
    throw new Failure(`git ${args[0]}: ${said || 'failed'}`, 'see to that', { cause })
  }
}

/** Lends a folder with these files. */
export async function withFiles<T>(
  files: ReadonlyMap<string, string>,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  try {
    const folder = await mkdtemp(join(tmpdir(), 'leo-diff-'))
    try {
      // None is on its way when one fails and the folder goes; and to wait for each takes longer than to write it.
      for (const [name, text] of files) writeFileSync(join(folder, name), text)
      return await work(folder)
    } finally {
      await rm(folder, { recursive: true })
    }
  } catch (cause) {
    if (!(cause instanceof Error && 'syscall' in cause && 'code' in cause)) throw cause
    const what = `the temporary folder ${tmpdir()} cannot be used: ${String(cause.code)}`
    throw new Failure(what, 'make room there, or name another in TMPDIR', { cause })
  }
}
