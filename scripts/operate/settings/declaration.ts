import { readFile } from 'node:fs/promises'
import { Failure } from '../../core/failure.ts'

export type Kind = 'plain' | 'secret'

/** As deployment_config_key_form_check says. */
const form = /^(?=.{1,128}$)[A-Za-z][A-Za-z0-9_.-]*$/

/**
 * Which settings there may be, and which of them are secret: a line `name plain` or `name secret` each, # before a
 * comment.
 *
 * @throws Failure for a line that says anything else, a name that the database refuses, and one that comes twice.
 */
export async function readDeclaration(file: string): Promise<ReadonlyMap<string, Kind>> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new Failure(`${file} cannot be read`, 'declare which settings are secret in it: settings=<file>', { cause })
  })
  const declared = new Map<string, Kind>()
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const [name, kind, ...more] = line.replace(/#.*/, '').trim().split(/\s+/)
    if (!name) continue
    const place = `${file}:${index + 1}`
    if ((kind !== 'plain' && kind !== 'secret') || more.length > 0) {
      throw new Failure(`${place} does not say plain or secret`, 'write a name and one of the two')
    }
    if (!form.test(name)) {
      const rule = 'letters, digits, dot, dash and underscore, a letter first, 128 at most'
      throw new Failure(`${place}: the database takes no setting of this name`, rule)
    }
    if (declared.has(name)) throw new Failure(`${place}: ${name} is declared twice`, 'remove one of the lines')
    declared.set(name, kind)
  }
  return declared
}
