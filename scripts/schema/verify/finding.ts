/** One deviation of a database from the expected state. */
export interface VerifyFinding {
  /** The class of the finding, for programs. */
  readonly code: string
  readonly object: string
  /** A description in one line, without customer data. */
  readonly what: string
  /** Exact SQL ending in `;`, a make command, or an instruction. */
  readonly remedy?: string
  /** Listed but not an error: accepted when the database was adopted, or not managed by this repository. */
  readonly isKnown: boolean
}
