import { createRequire } from 'node:module'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'

const require = createRequire(import.meta.url)

/**
 * Starts a worker thread in a file of this project.
 *
 * @param file its URL, without the extension: it is TypeScript here, JavaScript where this is compiled.
 * @param first a package that it imports, loaded before TypeScript's loader is registered, which takes half the time.
 */
export function startThread(file: URL, first?: string): Worker {
  const path = fileURLToPath(file) + extname(import.meta.url)
  const thread = path.endsWith('.ts') ? startTypescript(path, first) : new Worker(path)
  // The caller learns of an error from the thread's messages and its end.
  return thread.on('error', () => undefined)
}

/** As CommonJS, for which TypeScript's loader takes half the time. */
function startTypescript(file: string, first?: string): Worker {
  const code = `
    const { first, loader, file } = require('node:worker_threads').workerData
    if (first) require(first)
    require(loader).register()
    require(file)`
  const workerData = { first: first && require.resolve(first), loader: require.resolve('tsx/cjs/api'), file }
  return new Worker(code, { eval: true, workerData })
}
