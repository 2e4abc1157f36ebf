import process from 'node:process'
import { parseArgs } from 'node:util'
import { withClient } from '../core/connect.ts'
import { Failure, main } from '../core/failure.ts'
import { isMet } from './compare.ts'
import type { Suite } from './compare.ts'
import { writeReport } from './report.ts'
import { withBenchServer } from '../postgres/bench-server.ts'
import type { BenchServer } from '../postgres/bench-server.ts'
import { benchmarkImport } from './suites/import.ts'
import { benchmarkLatency } from './suites/latency.ts'
import { benchmarkLists } from './suites/lists.ts'
import { benchmarkQueue } from './suites/queue.ts'
import { benchmarkSecrets } from './suites/secrets.ts'

const suites: Readonly<Record<string, (server: BenchServer) => Promise<Suite>>> = {
  queue: benchmarkQueue,
  latency: benchmarkLatency,
  lists: benchmarkLists,
  import: benchmarkImport,
  secrets: benchmarkSecrets,
}

/** `make bench` measures and writes BENCHMARKS.md. A missed aim is not a failure. */
await main(async () => {
  const { values } = parseArgs({ options: { only: { type: 'string', default: Object.keys(suites).join(' ') } } })
  const chosen = values.only.trim().split(/\s+/)
  const unknown = chosen.filter((name) => !(name in suites))
  const known = Object.keys(suites).join(', ')
  if (unknown.length > 0) throw new Failure(`unknown benchmark: ${unknown.join(', ')}`, `choose from ${known}`)
  await withBenchServer(async (server) => {
    const version = await withClient(server.target('postgres'), async (client) => {
      const { rows } = await client.query<{ server_version: string }>('show server_version')
      return rows[0]!.server_version
    })
    const finished: Suite[] = []
    for (const name of chosen) {
      const suite = await suites[name]!(server)
      finished.push(suite)
      for (const result of suite.results) {
        const sign = isMet(result) === false ? '✘' : ' '
        process.stdout.write(`${sign} ${result.what} / ${result.against}: ${result.figures}\n`)
      }
    }
    await writeReport(finished, version, Object.keys(suites))
    process.stdout.write('wrote BENCHMARKS.md\n')
  })
})
