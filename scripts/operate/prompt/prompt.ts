import process from 'node:process'
import { createInterface } from 'node:readline'
import pg from 'pg'
import { connect, withClient } from '../../core/connect.ts'
import { Failure } from '../../core/failure.ts'
import type { Target } from '../../core/target.ts'
import { printable } from '../../core/text.ts'
import { isComplete } from './statement.ts'
import { formatResult } from './table.ts'

/** Values as the server sends them: a Date of JavaScript drops microseconds. */
const asText = { getTypeParser: () => (value: string | Buffer) => String(value) } as pg.CustomTypesConfig

/**
 * A SQL prompt: statements over one or more lines up to a semicolon, `\q` or Ctrl-D to leave, Ctrl-C to cancel a
 * statement. Without a terminal it reads statements from standard input. Returns 1 when that failed.
 */
export async function runPrompt(target: Target): Promise<number> {
  const client = await connect(target)
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
  const isTerminal = process.stdin.isTTY
  const lines = createInterface({ input: process.stdin, output: process.stdout, terminal: isTerminal })
  let buffer = ''
  let isRunning = false
  let hasFailed = false

  const prompt = (): void => {
    if (!isTerminal) return
    lines.setPrompt(`${printable(target.database)}${buffer === '' ? '=' : '-'}> `)
    lines.prompt()
  }
  const run = async (text: string): Promise<void> => {
    isRunning = true
    hasFailed = !(await execute(client, text)) || hasFailed
    isRunning = false
  }

  lines.on('SIGINT', () => {
    if (isRunning) return void cancel(target, rows[0]!.pid)
    buffer = ''
    process.stdout.write('\n')
    prompt()
  })
  if (isTerminal) process.stdout.write(`${target.label}; end a statement with ; and leave with \\q\n`)
  prompt()
  try {
    for await (const line of lines) {
      if (buffer === '' && /^\s*(\\q|quit|exit)\s*;?\s*$/.test(line)) break
      buffer += `${line}\n`
      if (isComplete(buffer)) {
        const text = buffer
        buffer = ''
        await run(text)
      } else if (buffer.trim() === '') {
        buffer = ''
      }
      prompt()
    }
    if (!isTerminal && buffer.trim() !== '') await run(buffer)
  } finally {
    lines.close()
    await client.end().catch(() => undefined)
  }
  return hasFailed && !isTerminal ? 1 : 0
}

/** Prints the results, or the error in one line. */
async function execute(client: pg.Client, text: string): Promise<boolean> {
  try {
    const result: unknown = await client.query({ text, rowMode: 'array', types: asText })
    // Several statements have several results.
    const results = (Array.isArray(result) ? result : [result]) as pg.QueryArrayResult<(string | null)[]>[]
    process.stdout.write(results.map(formatResult).join(''))
    return true
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) {
      throw new Failure(`the connection broke: ${(error as Error).message}`, 'start it again', { cause: error })
    }
    const { severity = 'ERROR', message, code, detail, hint } = error
    const more = [detail, hint].filter((part) => part !== undefined).map((part) => ` — ${part}`)
    process.stderr.write(`${printable(`${severity}: ${message} (${code})${more.join('')}`)}\n`)
    return false
  }
}

async function cancel(target: Target, pid: number): Promise<void> {
  await withClient(target, (client) => client.query('select pg_cancel_backend($1)', [pid])).catch((error: unknown) => {
    process.stderr.write(`cannot cancel: ${printable((error as Error).message)}\n`)
  })
}
