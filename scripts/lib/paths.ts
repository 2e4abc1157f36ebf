import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository's folder, whether this file runs from its source or compiled under `build/`. */
export const root = findRoot(dirname(fileURLToPath(import.meta.url)))

export const fromRoot = (...parts: string[]): string => join(root, ...parts)

function findRoot(folder: string): string {
  if (existsSync(join(folder, 'package.json'))) return folder
  const parent = dirname(folder)
  if (parent === folder) throw new Error('package.json not found above this script')
  return findRoot(parent)
}
