import { runScript } from '../core/child.ts'
import { LeoCommand } from '../core/command.ts'

export const command = new LeoCommand({
  name: 'bench-upgrade',
  summary: 'Compare the duration of the upgrade with that of a naive one, on a separate server',
  example: 'bench-upgrade rows=100000',
})
  .option('--rows <numbers>', 'numbers of snapshots, at least 1000 each, separated by spaces')
  .run<{ rows?: string }>(({ rows }) => runScript('scripts/upgrade/bench/upgrade', rows === undefined ? [] : [`--rows=${rows}`]))
