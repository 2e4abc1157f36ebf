export type Mark = 'added' | 'changed' | 'removed' | 'renamed'

/** Tables and the foreign keys between them. Names may hold anything: each form makes them harmless. */
export interface Drawing {
  readonly boxes: readonly Box[]
  readonly lines: readonly Line[]
}

export interface Box {
  /** Unique in a drawing. */
  readonly table: string
  readonly mark: Mark | null
  readonly columns: readonly Attribute[]
}

export interface Attribute {
  readonly type: string
  readonly name: string
  /** What is said beside it: a mark in words, the keys it is in. */
  readonly note: string
  readonly mark: Mark | null
}

/** From many to one. */
export interface Line {
  readonly from: string
  readonly to: string
  readonly columns: string
  readonly mark: Mark | null
}
