import { createRequire } from 'node:module'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'

const require = createRequire(import.meta.url)

/**
 * Starts a worker thread in a file of this project.
 *
 * @param file its URL, without the extension: `.ts` here, `.js` in the compiled output.
 * @param first a package that the file imports. It is loaded before TypeScript's loader is registered, in half the time.
 */
export function startThread(file: URL, first?: string): Worker {
  const path = fileURLToPath(file) + extname(import.meta.url)
  const thread = path.endsWith('.ts') ? startTypescript(path, first) : new Worker(path)
  // The messages and the exit of the thread report an error to the caller.
  return thread.on('error', () => undefined)
}

/** Runs the file as CommonJS, which TypeScript's loader loads in half the time. */
function startTypescript(file: string, first?: string): Worker {
  const code = `
    const { first, loader, file } = require('node:worker_threads').workerData
    if (first) require(first)
    require(loader).register()
    require(file)`
  const workerData = { first: first && require.resolve(first), loader: require.resolve('tsx/cjs/api'), file }
  return new Worker(code, { eval: true, workerData })
}
