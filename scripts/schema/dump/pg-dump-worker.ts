import process from 'node:process'
import { setFlagsFromString } from 'node:v8'
import { parentPort, receiveMessageOnPort } from 'node:worker_threads'
import { pgDump } from '@electric-sql/pglite-tools/pg_dump'

/**
 * The thread in which pg_dump runs. The WASM build of pg_dump has only synchronous input and output. It sends bytes
 * through the port of this thread to the parent, which owns the socket, and the thread sleeps until the reply arrives.
 * The thread also isolates `process.exitCode`, to which the WASM runtime writes.
 */
export interface DumpJob {
  readonly args: readonly string[]
  /** The number of replies that the parent has posted. */
  readonly replies: SharedArrayBuffer
}

/** Bytes for the server while pg_dump runs, then one result. */
export type DumpMessage = Uint8Array | { readonly text: string } | { readonly error: string }

// A dump is too short to benefit from optimised code: without optimisation it takes half the processor time.
for (const flag of ['--no-wasm-tier-up', '--no-wasm-dynamic-tiering']) setFlagsFromString(flag)

if (!parentPort) throw new Error('this file is a worker')
const port = parentPort

// The program name in error messages.
process.argv[1] = 'pg_dump'
port.on('message', (job: DumpJob) => void run(job))

/** Runs one job at a time. During a job all messages are replies, which are received synchronously. */
async function run({ args, replies }: DumpJob): Promise<void> {
  try {
    const pg = socketOf(new Int32Array(replies)) as unknown as Parameters<typeof pgDump>[0]['pg']
    const file = await pgDump({ pg, args: [...args] })
    post({ text: await file.text() })
  } catch (error) {
    post({ error: errorText(error instanceof Error ? error.message : String(error)) })
  }
}

function socketOf(replies: Int32Array) {
  let replied = 0
  return {
    execProtocolRawStream(bytes: Uint8Array, { onRawData }: { onRawData: (bytes: Uint8Array) => void }): void {
      // Copied, because `bytes` is a view of the WASM memory.
      post(bytes.slice())
      // A late notification of an earlier reply can wake the thread too early.
      while (Atomics.load(replies, 0) === replied) Atomics.wait(replies, 0, replied)
      replied += 1
      const reply = receiveMessageOnPort(port) as { message: Uint8Array }
      onRawData(reply.message)
    },
    // pgDump() saves and restores the search_path of a PGlite. This connection is not used after the dump.
    query: async () => ({ rows: [{ search_path: '' }] }),
    exec: async () => [],
  }
}

/** Extracts the messages of pg_dump: the WASM runtime joins the lines of stderr and adds a prefix. */
function errorText(text: string): string {
  const [, ...words] = text.split(/pg_dump: (?:error|detail|hint): /)
  return words.join('; ') || text
}

function post(message: DumpMessage): void {
  port.postMessage(message)
}
