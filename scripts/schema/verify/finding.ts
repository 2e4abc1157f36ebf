/** One point in which a database is not as it should be. */
export interface VerifyFinding {
  /** For machines: the class of the finding. */
  readonly code: string
  readonly object: string
  /** For people: one line, never with data of customers in it. */
  readonly what: string
  /** Exact SQL ending in `;`, a make command, or else an instruction. */
  readonly remedy?: string
  /** Listed without being an error: accepted when the database was adopted, or not managed by this repository. */
  readonly isKnown: boolean
}
