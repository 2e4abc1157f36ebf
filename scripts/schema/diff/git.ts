import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { Failure } from '../../core/failure.ts'
import { fromRoot } from '../../core/paths.ts'
import type { TypesSource } from '../types/thread.ts'

const migrationsPath = 'db/migrations'
const configPath = '.kysely-codegenrc.json'
const typesPath = 'types'

/** The migrations of a repository at one commit, or of its work tree. */
export interface Snapshot {
  /** `origin/main (3f2a91c)` */
  readonly label: string
  /** The commit itself; for the work tree, its `HEAD`. */
  readonly commit: string
  /** The migrations: name → text, with `\n` line endings. */
  readonly files: ReadonlyMap<string, string>
  /** Migrations of the work tree that are new or modified since `HEAD`. */
  readonly uncommitted: readonly string[]
  readonly types: TypesSource
}

/** @throws Failure when the commit does not exist or has no migrations. */
export async function snapshotOf(repository: string, ref: string): Promise<Snapshot> {
  const commit = await resolve(repository, ref)
  if (commit !== undefined) return snapshot(repository, ref, commit)
  // The name may be a mistyped URL that contains a password, so it is not printed.
  const name = /[:@]/.test(ref) ? 'with the given name' : ref
  throw new Failure(`there is no commit ${name}`, 'fetch it (`git fetch`), or name another: make diff BASE=main')
}

/** `origin/main`, else `main`. */
export async function defaultBase(repository: string): Promise<Snapshot> {
  for (const ref of ['origin/main', 'main']) {
    const commit = await resolve(repository, ref)
    if (commit !== undefined) return snapshot(repository, ref, commit)
  }
  throw new Failure('there is neither origin/main nor main', 'fetch one of them, or name the base: make diff BASE=<commit>')
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
 * Finds the merge base of the two sides. Returns `base` when there is none, or when a shallow clone lacks it and `head`
 * contains all migrations of `base` unchanged.
 *
 * @throws Failure when the merge base is needed to tell changes of base from changes of head, and the clone lacks it.
 */
export async function mergeBase(repository: string, base: Snapshot, head: Snapshot): Promise<Snapshot> {
  const found = await git(repository, ['merge-base', base.commit, head.commit]).catch(() => '')
  if (found !== '') return found.trim() === base.commit ? base : snapshot(repository, 'the merge base', found.trim())
  const hasAllOfBase = [...base.files].every(([name, text]) => head.files.get(name) === text)
  const isShallow = (await git(repository, ['rev-parse', '--is-shallow-repository'])).trim() === 'true'
  if (hasAllOfBase || !isShallow) return base
  throw new Failure(
    `this shallow clone does not contain the merge base of ${base.label} and ${head.label}`,
    'fetch the whole history: `git fetch --unshallow`',
  )
}

async function resolve(repository: string, ref: string): Promise<string | undefined> {
  // Fails when there is no repository, so that this is not reported as a missing commit.
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

/** The files directly in the folder, not in its subfolders. */
function inFolder(files: Files, folder: string): Files {
  const direct = [...files].flatMap(([path, text]): [string, string][] =>
    dirname(path) === folder ? [[basename(path), text]] : [],
  )
  return new Map(direct)
}

const migrationsIn = (files: Files): Files =>
  new Map([...files].filter(([name]) => !name.startsWith('.') && !name.endsWith('.md')))

/** `undefined` for a repository, or an early commit, that has no generated types. */
function typesOf(config: string | undefined, files: Files): TypesSource | undefined {
  if (config === undefined || !files.has('index.ts')) return undefined
  return { config, written: new Map([...files].filter(([name]) => name !== 'db.ts')) }
}

/** The types of this clone. */
export async function ownTypes(): Promise<TypesSource> {
  const config = await readFile(fromRoot(configPath), 'utf8')
  return typesOf(config, await readFolder(fromRoot(), typesPath))!
}

async function readFolder(repository: string, path: string): Promise<Files> {
  const folder = join(repository, path)
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new Failure(`${path} cannot be read`, 'run the command in a complete clone', { cause })
  })
  const names = entries.filter((entry) => entry.isFile()).map(({ name }) => name)
  const read = async (name: string) => [name, unixLines(await readFile(join(folder, name), 'utf8'))] as const
  return new Map(await Promise.all(names.sort().map(read)))
}

/** Reads the files under these paths at a commit, without writing to the disk. Path → text. */
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
    // Git may exit without reading all of its input. Its own error message is reported below.
    running.child.stdin!.on('error', () => undefined).end(input)
    return (await running).stdout
  } catch (cause) {
    const { code, stderr } = cause as { code?: string | number; stderr?: Buffer }
    const message = stderr?.toString().trim() ?? ''
    if (code === 'ENOENT') throw new Failure('git is not installed', 'install git', { cause })
    if (/not a git repository/.test(message)) {
      throw new Failure('this folder is not in a git repository', 'run the command in a clone', { cause })
    }
    throw new Failure(`git ${args[0]} failed: ${message}`, 'correct the cause, then run the command again', { cause })
  }
}

/** Calls `work` with a temporary folder that contains these files. */
export async function withFiles<T>(
  files: ReadonlyMap<string, string>,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  try {
    const folder = await mkdtemp(join(tmpdir(), 'leo-diff-'))
    try {
      // Synchronous: no write is pending when one fails and the folder is removed, and it is faster for small files.
      for (const [name, text] of files) writeFileSync(join(folder, name), text)
      return await work(folder)
    } finally {
      await rm(folder, { recursive: true })
    }
  } catch (cause) {
    if (!(cause instanceof Error && 'syscall' in cause && 'code' in cause)) throw cause
    const what = `the temporary folder ${tmpdir()} cannot be used: ${String(cause.code)}`
    throw new Failure(what, 'free space there, or set TMPDIR to another folder', { cause })
  }
}
