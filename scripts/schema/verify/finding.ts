/** One thing in which the database is not what it should be. */
export interface VerifyFinding {
  /** For machines: what kind of thing it is. */
  readonly code: string
  readonly object: string
  /** For people: one line, never with data of customers in it. */
  readonly what: string
  /** Exact SQL, a make command, or else what to do. */
  readonly remedy?: string
  /** Accepted when the database was adopted, or none of our business: listed, and no reason to fail. */
  readonly isKnown: boolean
}
