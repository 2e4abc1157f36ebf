import { createRequire } from 'node:module'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'

const require = createRequire(import.meta.url)

/**
 * Starts a thread in a file of this project.
 *
 * @param file its URL, without the ending: it is TypeScript here, JavaScript where this is compiled.
 * @param first a package that it imports, to be loaded as it is: what TypeScript's loader has to read takes twice as long.
 */
export function startThread(file: URL, first?: string): Worker {
  const path = fileURLToPath(file) + extname(import.meta.url)
  const thread = path.endsWith('.ts') ? startTypescript(path, first) : new Worker(path)
  // Why it ended is told to whoever waits for it.
  return thread.on('error', () => undefined)
}

/** By CommonJS, for which TypeScript is loaded in half the time. */
function startTypescript(file: string, first?: string): Worker {
  const code = `
    const { first, loader, file } = require('node:worker_threads').workerData
    if (first) require(first)
    require(loader).register()
    require(file)`
  const workerData = { first: first && require.resolve(first), loader: require.resolve('tsx/cjs/api'), file }
  return new Worker(code, { eval: true, workerData })
}
