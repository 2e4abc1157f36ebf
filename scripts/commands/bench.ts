import { runScript } from '../core/child.ts'
import { LeoCommand } from '../core/command.ts'

export const command = new LeoCommand({
  name: 'bench',
  summary: 'Compare the package with others, and write BENCHMARKS.md',
  example: 'bench only=queue',
})
  .option('--only <names>', 'some of queue, latency, lists, import, secrets, separated by spaces')
  .run<{ only?: string }>(({ only }) => runScript('scripts/bench/run', only === undefined ? [] : [`--only=${only}`]))
