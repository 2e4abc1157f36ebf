import process from 'node:process'
import { LeoCommand, matching } from '../core/command.ts'

const form = /^(\d+):([0-9a-f]{64})$/

export const command = new LeoCommand({
  name: 'verify-audit',
  summary: 'Verify the hash chain of deployment_config_history, and print its head, to be stored elsewhere',
  example: `verify-audit head=42:${'0123456789abcdef'.repeat(4)}`,
  exits: { 1: 'an entry was changed, removed or moved, or an error' },
  reads: ['DATABASE_URL'],
})
  .option('--head <id:hash>', 'the head that an earlier run printed', matching(form, 'write <id>:<hash> as printed'))
  .run<{ head?: string }>(async ({ head }) => {
    const { step } = await import('../core/progress.ts')
    const { onDatabase } = await import('../migrate/on-database.ts')
    const { verifyAudit } = await import('../operate/audit.ts')
    const [, id = '', hash = ''] = form.exec(head ?? '') ?? []
    return onDatabase(['public.deployment_config_history'], async (client, { label }) => {
      const report = await step('reading deployment_config_history', (say) =>
        verifyAudit(client, { ...(head && { head: { id, hash } }), report: (read) => say(`${read} entries`) }),
      )
      for (const { code, object, what } of report.findings) process.stdout.write(`✖ ${code} ${object}: ${what}\n`)
      const count = report.findings.length
      process.stdout.write(`${label}: ${report.entries} entries, ${count === 0 ? 'complete' : `${count} findings`}\n`)
      if (report.head && count === 0) process.stdout.write(`head=${report.head.id}:${report.head.hash}\n`)
      return count === 0 ? 0 : 1
    })
  })
