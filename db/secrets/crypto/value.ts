import { inspect } from 'node:util'
import { InvalidSecretUseError } from '../errors.ts'

export const maxSecretBytes = 65_536

const shown = '[secret]'

/**
 * A text that shows itself nowhere: not as a string, in JSON, in `util.inspect`, in a log or in a clone, only by
 * `reveal()`. For the same reason `deepStrictEqual` finds any two of them equal: compare what they reveal.
 *
 * @example
 * const secret = new SecretValue(token)
 * console.log(secret, `${secret}`) // SecretValue [secret] [secret]
 */
export class SecretValue {
  readonly #text: string

  /** @throws {InvalidSecretUseError} for an empty text, one of more than 64 KiB, or half a surrogate pair. */
  constructor(text: string) {
    const bytes = Buffer.byteLength(text)
    if (bytes < 1 || bytes > maxSecretBytes) {
      throw new InvalidSecretUseError('a secret has 1 byte to 64 KiB: leave out what is none, or store it in parts')
    }
    // It would come back as U+FFFD.
    if (/\p{Surrogate}/u.test(text)) {
      throw new InvalidSecretUseError('a secret is a well-formed text: encode bytes, as base64 say')
    }
    this.#text = text
    Object.freeze(this)
  }

  reveal(): string {
    return this.#text
  }

  toString(): string {
    return shown
  }

  toJSON(): string {
    return shown
  }

  [Symbol.toPrimitive](): string {
    return shown
  }

  [inspect.custom](): string {
    return `SecretValue ${shown}`
  }
}
