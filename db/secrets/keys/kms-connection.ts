import type * as Sdk from '@aws-sdk/client-kms'
import { InsecureInProductionError, InvalidSecretUseError, KeyServiceUnavailableError } from '../errors.ts'
import { isProduction } from './key-provider.ts'
import { translated } from './kms-errors.ts'

export interface KmsConnectionOptions {
  readonly region: string
  readonly deadlineMs: number
  readonly endpoint?: string | undefined
}

interface Loaded {
  readonly sdk: typeof Sdk
  readonly client: Sdk.KMSClient
}

/** The KMS client, loaded and created at the first call, with a deadline for every call. */
export class KmsConnection {
  readonly #options: KmsConnectionOptions
  #loaded: Promise<Loaded> | undefined

  constructor(options: KmsConnectionOptions) {
    this.#options = options
  }

  /** Sends one command. With its retries it takes no longer than the deadline; it throws only SecretErrors. */
  async send<T>(call: (loaded: Loaded, options: { abortSignal: AbortSignal }) => Promise<T>): Promise<T> {
    const loaded = await (this.#loaded ??= this.#load())
    const abort = new AbortController()
    // Not AbortSignal.timeout(), whose timer cannot be cleared: thousands of calls a second would each leave one.
    let timer: NodeJS.Timeout | undefined
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const { deadlineMs } = this.#options
        reject(new KeyServiceUnavailableError(`KMS did not answer within ${deadlineMs} ms: try again later`))
        abort.abort()
      }, this.#options.deadlineMs)
    })
    try {
      // A race, because the search for credentials ignores the signal.
      return await Promise.race([call(loaded, { abortSignal: abort.signal }), deadline])
    } catch (error) {
      throw translated(error)
    } finally {
      clearTimeout(timer)
    }
  }

  close(): void {
    this.#loaded?.then(
      ({ client }) => client.destroy(),
      () => undefined,
    )
    this.#loaded = undefined
  }

  async #load(): Promise<Loaded> {
    const sdk = await import('@aws-sdk/client-kms').catch(() => {
      this.#loaded = undefined
      throw new InvalidSecretUseError('the KMS client is not installed: add @aws-sdk/client-kms to the service')
    })
    const { region, endpoint, deadlineMs } = this.#options
    const client = new sdk.KMSClient({
      region,
      retryMode: 'standard',
      maxAttempts: 3,
      // One attempt may take less than half of the deadline, so that a second one is possible.
      requestHandler: {
        connectionTimeout: Math.ceil(deadlineMs * 0.2),
        requestTimeout: Math.ceil(deadlineMs * 0.4),
        throwOnRequestTimeout: true,
      },
      ...(endpoint === undefined ? {} : { endpoint }),
    })
    // Checked for each request, because the endpoint may also come from the environment or a profile.
    client.middlewareStack.add(
      (next) => (args) => {
        const { protocol } = args.request as { readonly protocol?: string }
        if (protocol !== 'https:' && isProduction()) {
          throw new InsecureInProductionError('KMS is called without TLS: use an https endpoint')
        }
        return next(args)
      },
      { step: 'build', name: 'requireTls' },
    )
    return { sdk, client }
  }
}
