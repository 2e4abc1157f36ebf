export type Mark = 'added' | 'changed' | 'removed' | 'renamed'

/** Tables and the foreign keys between them. Names can contain any character, so each output format escapes them. */
export interface Drawing {
  readonly boxes: readonly Box[]
  readonly lines: readonly Line[]
}

export interface Box {
  /** Label of the table, unique in a drawing. */
  readonly table: string
  readonly mark: Mark | null
  readonly columns: readonly Attribute[]
}

export interface Attribute {
  readonly type: string
  readonly name: string
  /** Text beside the column: the mark in words, or the keys that it belongs to. */
  readonly note: string
  readonly mark: Mark | null
}

/** A foreign key, from the referencing table to the referenced one. */
export interface Line {
  readonly from: string
  readonly to: string
  readonly columns: string
  readonly mark: Mark | null
}
