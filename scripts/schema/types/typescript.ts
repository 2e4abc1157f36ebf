import { createRequire } from 'node:module'
import type ts from 'typescript'

/** Loads the compiler on first use. `import` would take a second longer: it scans a CommonJS module for its exports. */
export const typescript = (): typeof ts => createRequire(import.meta.url)('typescript') as typeof ts
