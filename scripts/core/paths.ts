import { join } from 'node:path'
import { root } from '../../db/testing/paths.ts'

/** The repository's folder. */
export { root }

export const fromRoot = (...parts: string[]): string => join(root, ...parts)
