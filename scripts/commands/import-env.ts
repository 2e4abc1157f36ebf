import { readFile } from 'node:fs/promises'
import process from 'node:process'
import type { SecretBox } from '../../db/secrets/index.ts'
import { LeoCommand } from '../core/command.ts'
import { isConfirmed, previewLine } from '../core/confirm.ts'
import { Failure } from '../core/failure.ts'
import type { Change } from '../operate/settings/import.ts'

export const command = new LeoCommand({
  name: 'import-env',
  summary: 'Show what an env file would change in deployment_config; with CONFIRM write it',
  example: 'import-env file=.env.production CONFIRM=postgres',
  reads: ['DATABASE_URL', 'CONFIRM', 'KMS_SEAL_WITH', 'KMS_ACCEPT', 'NODE_ENV'],
})
  .requiredOption('--file <path>', 'the env file')
  .option('--settings <path>', 'declares for each setting whether it is plain or secret', 'db/settings.txt')
  .run<{ file: string; settings: string }>(async ({ file, settings: declaration }, { makeLine }) => {
    const { onDatabase } = await import('../migrate/on-database.ts')
    const { boxFor } = await import('../operate/keys/settings.ts')
    const { readDeclaration } = await import('../operate/settings/declaration.ts')
    const { readEnv } = await import('../operate/settings/env-file.ts')
    const { planImport, writeImport } = await import('../operate/settings/import.ts')
    const declared = await readDeclaration(declaration)
    const text = await readFile(file, 'utf8').catch((cause: unknown) => {
      throw new Failure(`${file} cannot be read`, 'name an env file: file=<path>', { cause })
    })
    const settings = readEnv(text, file)
    let opened: SecretBox | undefined
    try {
      await onDatabase(['public.deployment_config'], async (client, target) => {
        const isToWrite = isConfirmed(target.database)
        const box = (): SecretBox => (opened ??= boxFor(target))
        const changes = await planImport(client, settings, declared, box)
        // No value is printed, not even a plain one: the declaration may be wrong.
        process.stdout.write(`${target.label}\n${changes.map(line).join('')}`)
        const due = changes.filter(({ outcome }) => outcome !== 'same').length
        if (due === 0) {
          process.stdout.write('no setting differs\n')
        } else if (isToWrite) {
          await writeImport(target, settings, changes, box)
          process.stdout.write(`${due} written\n`)
        } else {
          process.stdout.write(previewLine(makeLine({ CONFIRM: target.database })))
        }
      })
    } finally {
      opened?.close()
    }
  })

function line({ key, kind, outcome }: Change): string {
  if (outcome === 'sealed') return `  changed ${key} (secret; it was stored as plain text: also replace it at its issuer)\n`
  return `  ${outcome.padEnd(7)} ${key}${kind === 'secret' ? ' (secret)' : ''}\n`
}
