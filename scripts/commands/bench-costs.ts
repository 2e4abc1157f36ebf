import { runScript } from '../core/child.ts'
import { LeoCommand } from '../core/command.ts'

export const command = new LeoCommand({
  name: 'bench-costs',
  summary: "Measure the monthly sums of a user in a ledger of a million rows, on a separate server",
  example: 'bench-costs',
}).run(() => runScript('scripts/bench/costs', []))
