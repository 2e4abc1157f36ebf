import { existsSync, readFileSync, rmSync } from 'node:fs'
import process from 'node:process'
import t from 'tap'
import { commandLine } from '../../db/testing/claims.ts'
import { fromRoot } from '../../scripts/core/paths.ts'
import { outputOf } from '../../scripts/test-runner/compile.ts'
import { formatReport } from '../../scripts/test-runner/report.ts'
import { runFile } from '../../scripts/test-runner/tap-file.ts'
import { until } from '../fixtures/until.ts'

const never = new AbortController().signal
const run = (name: string, signal = never) => {
  const source = `test/test-runner/fixtures/${name}.ts`
  return runFile({ name, source, compiled: outputOf(source) }, process.env, signal)
}

t.test('assertions of all levels are counted once, and the first failed one is reported with its position', async (t) => {
  const result = await run('failing')
  t.match(result, { passed: 2, failed: 2, skipped: 1, failure: { title: 'a group > differs' } })
  const report = formatReport([result], ({ name }) => `make test file=${name}`)
  t.match(report, '1 of 1 files failed')
  t.match(report, /test\/test-runner\/fixtures\/failing\.ts:6:5 a group > differs\n/)
  t.match(report, /run it again: make test file=failing\n/)
  t.match(report, /# \{ total: 5, pass: 2, fail: 2, skip: 1 \}$/)
})

t.test('a file that ends with an error and no failed assertion has failed', async (t) => {
  const result = await run('crashing')
  t.equal(result.failed, 1)
  t.match(formatReport([result], () => ''), /it crashes/)
})

t.test('an interruption ends the file and the processes that it started', async (t) => {
  const abort = new AbortController()
  const log = fromRoot('build/test-output/test/test-runner/fixtures/hanging.ts')
  rmSync(log, { force: true })
  const running = run('hanging', abort.signal)
  const child = (): number => Number(/# child (\d+)/.exec(existsSync(log) ? readFileSync(log, 'utf8') : '')?.[1])
  await until('the child is there', () => commandLine(child()) !== '')
  const pid = child()
  abort.abort()
  t.match(await running, { failed: 1 })
  await until('the child has ended', () => commandLine(pid) === '')
})
