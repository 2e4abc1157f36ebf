import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import process from 'node:process'
import { promisify } from 'node:util'
import t from 'tap'
import { fromRoot } from '../../scripts/core/paths.ts'
import { locate, throwawayHomes } from '../../scripts/postgres/binaries.ts'
import { until } from '../fixtures/until.ts'

/** Runs a test file that starts another server in addition to the server of the run. */
const code = `
  const { runTests } = await import(${JSON.stringify(fromRoot('build/scripts/test-runner/run-tests.js'))})
  process.exitCode = await runTests({ scope: 'full', names: ['full/server_restart'] })`

interface Process {
  readonly pid: number
  readonly parent: number
  readonly group: number
  readonly command: string
}

async function processes(): Promise<Process[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-ww', '-o', 'pid=,ppid=,pgid=,args='], { maxBuffer: 2 ** 24 })
  return stdout.split('\n').filter(Boolean).map((line) => {
    const [, pid, parent, group, command] = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? []
    return { pid: Number(pid), parent: Number(parent), group: Number(group), command: command ?? '' }
  })
}

for (const [signal, exitCode] of [['SIGTERM', 143], ['SIGINT', 130]] as const) {
  t.test(`${signal} ends the run, its files and their servers, and removes their data`, async (t) => {
    const runner = spawn(process.execPath, ['--input-type=module', '--eval', code], { cwd: fromRoot(), stdio: 'ignore', detached: true })
    let owners: number[] = []
    const servers = async () =>
      (await processes()).filter(({ command }) => owners.some((pid) => command.includes(`/test-${pid}-`)))
    await until('the file and both servers are there', async () => {
      owners = [runner.pid!, ...(await processes()).filter(({ parent }) => parent === runner.pid).map(({ pid }) => pid)]
      const postmasters = (await servers()).map(({ command }) => / -D (\S+)/.exec(command)?.[1])
      return new Set(postmasters.filter(Boolean)).size === 2
    })
    process.kill(runner.pid!, signal)
    t.strictSame(await once(runner, 'exit'), [exitCode, null])
    t.strictSame(await servers(), [])
    t.strictSame((await processes()).filter(({ group, pid }) => owners.includes(pid) || owners.includes(group)), [])
    const folders = throwawayHomes(locate()).filter(existsSync).flatMap((home) => readdirSync(home))
    t.strictSame(folders.filter((name) => owners.some((pid) => name.startsWith(`test-${pid}-`))), [])
  })
}
