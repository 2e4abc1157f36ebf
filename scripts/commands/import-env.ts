import { readFile } from 'node:fs/promises'
import process from 'node:process'
import { parseArgs } from 'node:util'
import type { SecretBox } from '../../db/secrets/index.ts'
import { orFailure, withClient } from '../core/connect.ts'
import { Failure, main } from '../core/failure.ts'
import { boxFor } from '../operate/keys/settings.ts'
import { exists } from '../migrate/migrator.ts'
import { readDeclaration } from '../operate/settings/declaration.ts'
import { readEnv } from '../operate/settings/env-file.ts'
import { planImport, writeImport } from '../operate/settings/import.ts'
import type { Change } from '../operate/settings/import.ts'
import { resolveTarget } from '../postgres/resolve-target.ts'

/**
 * `make import-env file=.env.production`: shows what the settings in it would change in deployment_config;
 * `CONFIRM=<database>` writes it. No value is shown, not even a plain one: it may have been declared so by mistake.
 *   --settings=db/settings.txt  says of each setting whether it is plain or secret
 */
await main(async () => {
  const { file, settings: declaration } = readOptions()
  const target = await resolveTarget()
  const confirmed = process.env['CONFIRM'] ?? ''
  if (confirmed !== '' && confirmed !== target.database) {
    throw new Failure(`CONFIRM=${confirmed} is not the name of ${target.label}`, `say CONFIRM=${target.database}`)
  }
  const declared = await readDeclaration(declaration)
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new Failure(`${file} cannot be read`, 'name an env file: file=<path>', { cause })
  })
  const settings = readEnv(text, file)
  let opened: SecretBox | undefined
  const box = (): SecretBox => (opened ??= boxFor(target))
  try {
    const changes = await withClient(target, (client) =>
      orFailure(target, async () => {
        if (!(await exists(client, 'public.deployment_config'))) {
          throw new Failure(`${target.label} has no deployment_config`, 'run `make migrate` first')
        }
        return planImport(client, settings, declared, box)
      }),
    )
    process.stdout.write(`${target.label}\n${changes.map(line).join('')}`)
    const due = changes.filter(({ outcome }) => outcome !== 'same').length
    if (due === 0) {
      process.stdout.write('nothing to change\n')
    } else if (confirmed === '') {
      const command = `make import-env file=${file} CONFIRM=${target.database}`
      process.stdout.write(`nothing was written; to write it: ${command}\n`)
    } else {
      await writeImport(target, settings, changes, box)
      process.stdout.write(`${due} written\n`)
    }
  } finally {
    opened?.close()
  }
})

function line({ key, kind, outcome }: Change): string {
  if (outcome === 'sealed') return `  changed ${key} (secret; plain until now: replace it where it came from, too)\n`
  return `  ${outcome.padEnd(7)} ${key}${kind === 'secret' ? ' (secret)' : ''}\n`
}

function readOptions(): { file: string; settings: string } {
  const options = { file: { type: 'string' }, settings: { type: 'string', default: 'db/settings.txt' } } as const
  const { file, settings } = parseArgs({ options }).values
  if (file) return { file, settings }
  throw new Failure('no env file is named', 'make import-env file=.env.production')
}
