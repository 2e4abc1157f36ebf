/** How many data keys are kept, and how long. */
export interface DataKeyCacheOptions {
  readonly maxKeys: number
  /** How long a key that KMS would no longer give out may still open secrets here. */
  readonly maxAgeMs: number
}

interface Entry {
  readonly key: Promise<Uint8Array>
  /** The same, once it is there. */
  plain: Uint8Array | undefined
  readonly timer: NodeJS.Timeout
  users: number
  isEvicted: boolean
}

/**
 * Data keys in plain, for reads: the least recently used go first, each after its time, and are then overwritten.
 * Those who ask for a key that is on its way wait for that one.
 */
export class DataKeyCache {
  readonly #options: DataKeyCacheOptions
  readonly #entries = new Map<string, Entry>()

  constructor(options: DataKeyCacheOptions) {
    this.#options = options
  }

  /** `use` is done with the key when it returns. */
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

/** Not under the hands of somebody who waits for it. */
function overwriteUnused({ isEvicted, users, plain }: Entry): void {
  if (isEvicted && users === 0) plain?.fill(0)
}
