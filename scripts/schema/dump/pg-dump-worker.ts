import process from 'node:process'
import { setFlagsFromString } from 'node:v8'
import { parentPort, receiveMessageOnPort } from 'node:worker_threads'
import { pgDump } from '@electric-sql/pglite-tools/pg_dump'

/**
 * The thread in which pg_dump runs. Compiled to WASM it can only be spoken to synchronously, so its socket is this
 * thread's port: bytes go to the parent, which owns the real one, and the thread sleeps until the reply is there.
 * It is also a thread because the WASM runtime writes to `process.exitCode`, which here ends with the thread.
 */
export interface DumpJob {
  readonly args: readonly string[]
  /** Counts the replies that the parent has posted. */
  readonly replies: SharedArrayBuffer
}

/** Bytes for the server until pg_dump is done, then one result. */
export type DumpMessage = Uint8Array | { readonly text: string } | { readonly error: string }

// One dump is too short for optimised code to pay: without it a dump takes half the processor time.
for (const flag of ['--no-wasm-tier-up', '--no-wasm-dynamic-tiering']) setFlagsFromString(flag)

if (!parentPort) throw new Error('this file is a worker')
const port = parentPort

// Its name in its messages.
process.argv[1] = 'pg_dump'
port.on('message', (job: DumpJob) => void run(job))

/** One at a time: until it is done, what comes is a reply, and taken out synchronously. */
async function run({ args, replies }: DumpJob): Promise<void> {
  try {
    const pg = socketOf(new Int32Array(replies)) as unknown as Parameters<typeof pgDump>[0]['pg']
    const file = await pgDump({ pg, args: [...args] })
    post({ text: await file.text() })
  } catch (error) {
    post({ error: ownWords(error instanceof Error ? error.message : String(error)) })
  }
}

function socketOf(replies: Int32Array) {
  let replied = 0
  return {
    execProtocolRawStream(bytes: Uint8Array, { onRawData }: { onRawData: (bytes: Uint8Array) => void }): void {
      // A copy: `bytes` is a window on the WASM memory.
      post(bytes.slice())
      // The notice of an earlier reply may come late and wake it for nothing.
      while (Atomics.load(replies, 0) === replied) Atomics.wait(replies, 0, replied)
      replied += 1
      const reply = receiveMessageOnPort(port) as { message: Uint8Array }
      onRawData(reply.message)
    },
    // What pgDump() asks a PGlite to do around the dump; this connection is never used again.
    query: async () => ({ rows: [{ search_path: '' }] }),
    exec: async () => [],
  }
}

/** The WASM runtime runs the lines of stderr together and puts its own before them. */
function ownWords(text: string): string {
  const [, ...words] = text.split(/pg_dump: (?:error|detail|hint): /)
  return words.join('; ') || text
}

function post(message: DumpMessage): void {
  port.postMessage(message)
}
