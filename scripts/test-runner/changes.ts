import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { root } from '../core/paths.ts'

export interface Changes {
  /** The ref that the work tree is compared with; `undefined` outside a git repository. */
  readonly base: string | undefined
  /** Paths relative to the repository's folder, including deleted and untracked files. */
  readonly paths: readonly string[]
}

/** Lists the files that changed since the work tree branched from the main branch, committed or not. */
export async function readChanges(): Promise<Changes> {
  const base = (await firstRef(['origin/main', 'main'])) ?? (await firstRef(['HEAD']))
  if (base === undefined) return { base, paths: [] }
  const [tracked, untracked] = await Promise.all([
    git('diff', '--relative', '--name-only', '--no-renames', '-z', base.commit),
    git('ls-files', '--others', '--exclude-standard', '-z'),
  ])
  const paths = `${tracked}${untracked}`.split('\0').filter((path) => path !== '')
  return { base: base.ref, paths: [...new Set(paths)].sort() }
}

async function firstRef(refs: readonly string[]): Promise<{ ref: string; commit: string } | undefined> {
  for (const ref of refs) {
    const commit = await git('merge-base', 'HEAD', ref).catch(() => undefined)
    if (commit !== undefined) return { ref, commit: commit.trim() }
  }
  return undefined
}

const git = async (...args: string[]): Promise<string> =>
  (await promisify(execFile)('git', args, { cwd: root, maxBuffer: 64 * 1024 * 1024 })).stdout
