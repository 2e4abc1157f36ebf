import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { Failure } from '../../failure.ts'
import { fromRoot } from '../../paths.ts'

export const migrationsPath = 'db/migrations'
const configPath = '.kysely-codegenrc.json'

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
  /** The settings of kysely-codegen. */
  readonly config: string
}

/** @throws Failure when there is no such commit, or no migration in it. */
export async function snapshotOf(repository: string, ref: string): Promise<Snapshot> {
  const commit = await resolve(repository, ref)
  if (commit !== undefined) return snapshot(repository, ref, commit)
  throw new Failure(`there is no commit ${ref}`, 'fetch it (`git fetch`), or name another: make diff BASE=main')
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
  const files = await readFolder(join(repository, migrationsPath))
  const status = await git(repository, ['status', '--porcelain', '--untracked-files=all', '-z', '--', migrationsPath])
  return {
    label: 'the work tree',
    commit,
    files,
    uncommitted: [...files.keys()].filter((name) => status.includes(`${migrationsPath}/${name}\0`)),
    config: await readFile(join(repository, configPath), 'utf8').catch(ownConfig),
  }
}

/** The newest commit that both come from; `base` itself where a shallow clone does not know it. */
export async function mergeBase(repository: string, base: Snapshot, head: Snapshot): Promise<Snapshot> {
  const found = (await git(repository, ['merge-base', base.commit, head.commit]).catch(() => base.commit)).trim()
  return found === base.commit ? base : snapshot(repository, 'the merge base', found)
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
  const temporary = await mkdtemp(join(tmpdir(), 'leo-diff-'))
  try {
    const env = { GIT_INDEX_FILE: join(temporary, 'index') }
    await git(repository, ['read-tree', `${commit}:${migrationsPath}`], env).catch((cause: unknown) => {
      throw new Failure(`${ref} has no ${migrationsPath}`, 'name a commit that has migrations', { cause })
    })
    const folder = join(temporary, 'files')
    await mkdir(folder)
    await git(repository, ['checkout-index', '--all', `--prefix=${folder}/`], env)
    return {
      label: `${ref} (${commit.slice(0, 7)})`,
      commit,
      files: await readFolder(folder),
      uncommitted: [],
      config: await git(repository, ['show', `${commit}:${configPath}`]).catch(ownConfig),
    }
  } finally {
    await rm(temporary, { recursive: true })
  }
}

async function git(repository: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  try {
    const options = { env: { ...process.env, ...env }, maxBuffer: Infinity }
    return (await promisify(execFile)('git', ['-C', repository, ...args], options)).stdout
  } catch (cause) {
    const { code, stderr } = cause as { code?: string | number; stderr?: string }
    if (code === 'ENOENT') throw new Failure('there is no git here', 'install it', { cause })
    if (/not a git repository/.test(stderr ?? '')) {
      throw new Failure('this is no clone of a git repository', 'run it in one', { cause })
    }
    throw new Failure(`git ${args[0]}: ${stderr?.trim() || 'failed'}`, 'see to that', { cause })
  }
}

/** Of what has none, such as what was there before it. */
const ownConfig = (): Promise<string> => readFile(fromRoot(configPath), 'utf8')

async function readFolder(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new Failure(`${migrationsPath} cannot be read`, 'run this in a complete clone', { cause })
  })
  const names = entries.filter((entry) => entry.isFile() && !entry.name.startsWith('.')).map(({ name }) => name)
  const texts = names
    .filter((name) => !name.endsWith('.md'))
    .sort()
    .map(async (name) => [name, (await readFile(join(folder, name), 'utf8')).replaceAll('\r\n', '\n')] as const)
  return new Map(await Promise.all(texts))
}

/** Lends a folder with these files. */
export async function withFiles<T>(
  files: ReadonlyMap<string, string>,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'leo-diff-'))
  try {
    await Promise.all([...files].map(([name, text]) => writeFile(join(folder, name), text)))
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}
