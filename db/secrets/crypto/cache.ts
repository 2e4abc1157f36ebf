/** Limits of the cache of data keys. */
export interface DataKeyCacheOptions {
  /** The maximum number of cached keys. */
  readonly maxKeys: number
  /** How long a key is cached, in milliseconds. For so long it opens secrets after KMS has stopped decrypting it. */
  readonly maxAgeMs: number
}

interface Entry {
  readonly key: Promise<Uint8Array>
  /** The resolved value of `key`. */
  plain: Uint8Array | undefined
  readonly timer: NodeJS.Timeout
  users: number
  isEvicted: boolean
}

/**
 * A cache of plain data keys, for opening secrets. It evicts the least recently used key, and each key after its maximum
 * age, and overwrites it then. Concurrent calls for the same key load it once.
 */
export class DataKeyCache {
  readonly #options: DataKeyCacheOptions
  readonly #entries = new Map<string, Entry>()

  constructor(options: DataKeyCacheOptions) {
    this.#options = options
  }

  /** `use` must not keep the key after it returns. */
  async withKey<T>(id: string, load: () => Promise<Uint8Array>, use: (key: Uint8Array) => T): Promise<T> {
    const entry = this.#entries.get(id) ?? this.#add(id, load)
    this.#entries.delete(id)
    this.#entries.set(id, entry)
    entry.users += 1
    try {
      entry.plain = await entry.key
      return use(entry.plain)
    } finally {
      entry.users -= 1
      overwriteUnused(entry)
    }
  }

  clear(): void {
    for (const [id, entry] of this.#entries) this.#evict(id, entry)
  }

  #add(id: string, load: () => Promise<Uint8Array>): Entry {
    const timer = setTimeout(() => this.#evict(id, entry), this.#options.maxAgeMs).unref()
    const entry: Entry = { key: load(), plain: undefined, timer, users: 0, isEvicted: false }
    entry.key.catch(() => this.#evict(id, entry))
    for (const [oldest, old] of this.#entries) {
      if (this.#entries.size < this.#options.maxKeys) break
      this.#evict(oldest, old)
    }
    return entry
  }

  #evict(id: string, entry: Entry): void {
    if (this.#entries.get(id) === entry) this.#entries.delete(id)
    clearTimeout(entry.timer)
    entry.isEvicted = true
    overwriteUnused(entry)
  }
}

/** A key in use is overwritten by its last user. */
function overwriteUnused({ isEvicted, users, plain }: Entry): void {
  if (isEvicted && users === 0) plain?.fill(0)
}
