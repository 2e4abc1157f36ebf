/** Stand-ins for the model, GitHub, Fly.io and Supabase, with a short delay each. */
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AppId, Files, SchemaTables } from '../../db/index.ts'

/** The result of an iteration of the model, with its costs. */
export interface Built {
  readonly files: Files
  readonly tables: SchemaTables
  readonly ddl: string
  readonly input_tokens: bigint
  readonly output_tokens: bigint
  readonly cost_micros: bigint
}

/** Thrown if a retry cannot succeed. */
export class ImpossibleError extends Error {
  override readonly name = 'ImpossibleError'
}

export async function build(prompt: string, iteration: number, files: Files, signal: AbortSignal): Promise<Built> {
  await sleep(100 + 50 * iteration, undefined, { signal })
  if (prompt.includes('impossible')) throw new ImpossibleError('the model cannot build this')
  return {
    files: { ...files, [`page-${iteration}.html`]: `<h1>${prompt}</h1>` },
    tables: { pages: { columns: [{ name: 'id', type: 'uuid' }, { name: `part_${iteration}`, type: 'text' }] } },
    ddl: `create table pages (id uuid primary key, part_${iteration} text);`,
    input_tokens: 1_000n,
    output_tokens: BigInt(100 * iteration),
    cost_micros: BigInt(250 * iteration),
  }
}

/** Pushes the files to the app's repository. Its name is derived from the app, so that a second attempt uses the same one. */
export async function push(app: AppId, files: Files): Promise<{ github_url: string; github_commit: string }> {
  await sleep(20)
  return {
    github_url: `https://github.com/leo-apps/${app}`,
    github_commit: createHash('sha1').update(JSON.stringify(files)).digest('hex'),
  }
}

/** Deploys the app. Idempotent. */
export async function deploy(app: AppId): Promise<string> {
  await sleep(20)
  return `https://leo-${app}.fly.dev`
}

/** Removes a resource. It succeeds if the resource no longer exists. */
export async function remove(_kind: string, _target: string): Promise<void> {
  await sleep(20)
}
