import { readFile } from 'node:fs/promises'
import { Failure } from '../../core/failure.ts'

export type Kind = 'plain' | 'secret'

/** The same pattern as in deployment_config_key_form_check. */
const form = /^(?=.{1,128}$)[A-Za-z][A-Za-z0-9_.-]*$/

/**
 * Reads the file that lists the allowed settings. Each line is `name plain` or `name secret`; `#` starts a comment.
 *
 * @throws Failure for an invalid line, a name that the database rejects, and a duplicate name.
 */
export async function readDeclaration(file: string): Promise<ReadonlyMap<string, Kind>> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new Failure(`${file} cannot be read`, 'name the file that declares the settings: settings=<file>', { cause })
  })
  const declared = new Map<string, Kind>()
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const [name, kind, ...more] = line.replace(/#.*/, '').trim().split(/\s+/)
    if (!name) continue
    const place = `${file}:${index + 1}`
    if ((kind !== 'plain' && kind !== 'secret') || more.length > 0) {
      throw new Failure(`${place} is not a declaration`, 'write a name, then plain or secret')
    }
    if (!form.test(name)) {
      const remedy = 'use at most 128 letters, digits, dots, dashes and underscores, starting with a letter'
      throw new Failure(`${place}: the database does not accept this name`, remedy)
    }
    if (declared.has(name)) throw new Failure(`${place}: ${name} is declared twice`, 'remove one of the lines')
    declared.set(name, kind)
  }
  return declared
}
