import { inspect } from 'node:util'
import { InvalidSecretUseError } from '../errors.ts'

export const maxSecretBytes = 65_536

const redacted = '[secret]'

/**
 * A text that is redacted when it is converted to a string or to JSON, inspected, logged or cloned. Only `reveal()`
 * returns it. `deepStrictEqual` therefore treats any two values as equal: compare the revealed texts.
 *
 * @example
 * const secret = new SecretValue(token)
 * console.log(secret, `${secret}`) // SecretValue [secret] [secret]
 */
export class SecretValue {
  readonly #text: string

  /** @throws {InvalidSecretUseError} `invalid_secret_use`: the text is empty, longer than 64 KiB, or has a lone surrogate. */
  constructor(text: string) {
    const bytes = Buffer.byteLength(text)
    if (bytes < 1 || bytes > maxSecretBytes) {
      throw new InvalidSecretUseError('a secret has to have 1 byte to 64 KiB: omit an empty one, split a longer one')
    }
    // UTF-8 would replace it by U+FFFD.
    if (/\p{Surrogate}/u.test(text)) {
      throw new InvalidSecretUseError('a secret has to be well-formed Unicode: encode bytes, for example as base64')
    }
    this.#text = text
    Object.freeze(this)
  }

  /** Returns the text. */
  reveal(): string {
    return this.#text
  }

  toString(): string {
    return redacted
  }

  toJSON(): string {
    return redacted
  }

  [Symbol.toPrimitive](): string {
    return redacted
  }

  [inspect.custom](): string {
    return `SecretValue ${redacted}`
  }
}
