import { devKeys, SecretBox, SecretValue, tokensToSecret } from '../../../db/secrets/index.ts'
import type { SealedSecret } from '../../../db/secrets/index.ts'
import type { UserId } from '../../../types/index.ts'

/** A secret setting, sealed with the development key: `make import-env` opens and replaces it, `make rotate-keys` re-wraps it. */
export const sealSetting = (key: string): Promise<SealedSecret> =>
  sealWithDevelopmentKey((box) => box.seal({ table: 'deployment_config', key }, new SecretValue(`sample value of ${key}`)))

/** The tokens of a connected provider. */
export const sealTokens = (userId: string, provider: string): Promise<SealedSecret> =>
  sealWithDevelopmentKey((box) => {
    const tokens = tokensToSecret({ access_token: new SecretValue(`sample-${provider}-token`) })
    return box.seal({ table: 'user_secrets', user_id: userId as UserId, provider }, tokens)
  })

async function sealWithDevelopmentKey<T>(work: (box: SecretBox) => Promise<T>): Promise<T> {
  const box = new SecretBox(devKeys())
  try {
    return await work(box)
  } finally {
    box.close()
  }
}
