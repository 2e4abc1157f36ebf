import { createRequire } from 'node:module'
import type ts from 'typescript'

/** The compiler, loaded when first asked for. To import it takes another second, in which its names are looked for. */
export const typescript = (): typeof ts => createRequire(import.meta.url)('typescript') as typeof ts
